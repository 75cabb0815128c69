package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/manifest"
)

const good = `# first a comment
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  text: |
    --- not a mark
    x
---
# nothing but a comment
--- # and a mark with one
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app: api}}
spec:
  replicas: 2
  selector:
    matchLabels: {app: api}
  template:
    metadata:
      labels: {app: api, version: v2.0.0}
    spec:
      containers:
      - name: app
        image: app:v1
        ports:
        - containerPort: 8080
        resources:
          requests: {cpu: 0.5, memory: 64Mi}
...
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: api}
  spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}
- apiVersion: example.com/v1
  kind: Widget
  metadata: {name: w}
  spec: {anything: [1, two]}
`

func TestParse(t *testing.T) {
	t.Parallel()
	documents, problems := manifest.Parse("shop.yaml", []byte(good))
	if len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	type place struct {
		Name         string
		Number, Line int
	}
	var got []place
	for _, d := range documents {
		got = append(got, place{d.Name(), d.Number, d.Line})
		if unknown := d.Unknown(); len(unknown) > 0 {
			t.Errorf("unknown %v", unknown)
		}
	}
	want := []place{{`ConfigMap "settings"`, 1, 3}, {`Deployment "api"`, 2, 14}, {`Service "api"`, 3, 37}, {`Widget "w"`, 3, 41}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := documents[0].Object.Object["data"].(map[string]any)["text"]; text != "--- not a mark\nx\n" {
		t.Errorf("text %q", text)
	}
	if line := documents[3].At(manifest.Path{"spec", "anything"}); line != 44 {
		t.Errorf("line %d", line)
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	text := "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n \"metadata\": {\"name\": \"a\"}}\n\n{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"b\"}}"
	documents, problems := manifest.Parse("a.json", []byte(text))
	if len(problems) > 0 || len(documents) != 2 || documents[1].Line != 4 || documents[1].Number != 2 {
		t.Errorf("%+v %v", documents, problems)
	}
	documents, problems = manifest.Parse("flow.yaml", []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"))
	if len(problems) > 0 || len(documents) != 1 {
		t.Errorf("YAML that begins with a brace: %+v %v", documents, problems)
	}
}

func deployment(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  replicas: 2
  selector:
    matchLabels:
      app: api
  template:
    metadata:
      labels:
        app: api
    spec:
      containers:
      - name: app
        image: app:v1
        ports:
        - containerPort: 8080
`)
}

// TestBadManifests has a line for each mistake: what is said, and what to do.
func TestBadManifests(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
	for name, tc := range map[string]struct{ text, want string }{
		"empty":             {"# nothing\n---\n", "m.yaml: there is no object in it → write a manifest, or leave it out"},
		"no YAML":           {head + "---\nkind: [a\nb: c\n", "m.yaml:5: document 2: not YAML: line 6: did not find expected ',' or ']' → correct the text"},
		"tab":               {head + "data:\n\ta: b\n", "m.yaml:1: document 1: not YAML: line 6: found character that cannot start any token → correct the text"},
		"a name twice":      {head + "data:\n  a: b\n  a: c\n", `m.yaml:1: document 1: not YAML: line 7: key "a" already set in map → correct the text`},
		"template":          {"kind: {{ .Kind }}\n", "m.yaml:1: document 1: not YAML: invalid map key: map[interface {}]interface {}{\".Kind\":interface {}(nil)} → this looks like a template: render it first, such as with helm template"},
		"no object":         {"- a\n- b\n", "m.yaml:1: document 1: expected an object, got a list → begin with apiVersion, kind and metadata"},
		"a word":            {"hello\n", "m.yaml:1: document 1: expected an object, got a string → begin with apiVersion, kind and metadata"},
		"no kind":           {"apiVersion: v1\nmetadata: {name: a}\n", "m.yaml:1: document 1: kind is missing → begin with apiVersion, kind and metadata"},
		"kind no string":    {"apiVersion: 1\nkind: A\n", "m.yaml:1: document 1, apiVersion: expected a string, got the number 1 → put it in quotes"},
		"empty kind":        {"apiVersion: v1\nkind: ''\n", "m.yaml:2: document 1, kind: kind is empty → write it"},
		"no version":        {"apiVersion: a/b/c\nkind: A\n", `m.yaml:1: document 1, apiVersion: "a/b/c" is no version of an API → write GROUP/VERSION, such as apps/v1`},
		"kustomization":     {"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "m.yaml:2: document 1, kind: a Kustomization is for kustomize, and not an object of a cluster → build it first, such as with kubectl kustomize, and name what that wrote"},
		"no metadata":       {"apiVersion: v1\nkind: ConfigMap\n", "m.yaml:1: document 1: metadata is missing → give the object a name"},
		"metadata a list":   {"apiVersion: v1\nkind: ConfigMap\nmetadata: []\n", "m.yaml:3: document 1, metadata: expected an object, got a list → write name: and labels: below it"},
		"no name":           {"apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n", "m.yaml:3: document 1, metadata: the ConfigMap has no name → write metadata.name"},
		"made-up name":      {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", "m.yaml:3: document 1, metadata.generateName: a made-up name is another one each time, so that nothing could be rolled back → write metadata.name"},
		"name a number":     {"apiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n", "m.yaml:3: document 1, metadata.name: expected a string, got the number 7 → put it in quotes"},
		"impossible name":   {"apiVersion: v1\nkind: Pod\nmetadata: {name: My_App}\n", `m.yaml:3: document 1, metadata.name: "My_App" is no name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*') → rename it`},
		"label a number":    {"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    version: 1.0\n", "m.yaml:6: document 1, metadata.labels.version: expected a string, got the number 1 → put it in quotes"},
		"version label":     {deployment("        app: api\n    spec", "        app: api\n        version: v2.0.0+build 7\n    spec"), `m.yaml:14: document 1, spec.template.metadata.labels.version: "v2.0.0+build 7" is no value of a label: letters, digits, '-', '_' and '.' are allowed, with a letter or digit first and last → correct it, or write it as an annotation`},
		"long label":        {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {v: " + strings.Repeat("x", 64) + "}}\n", `m.yaml:3: document 1, metadata.labels.v: "` + strings.Repeat("x", 64) + `" is no value of a label: it has 64 signs, and 63 are allowed → correct it, or write it as an annotation`},
		"name of a label":   {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {'a b': c}}\n", `m.yaml:3: document 1, metadata.labels["a b"]: "a b" is no name of a label: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') → rename it`},
		"other pods":        {deployment("      app: api\n  template", "      app: web\n  template"), "m.yaml:9: document 1, spec.selector.matchLabels.app: its own pods do not have the label app=web → write the same in spec.template.metadata.labels"},
		"number a string":   {deployment("replicas: 2", `replicas: "2"`), "m.yaml:6: document 1, spec.replicas: expected a whole number, got a string → correct it"},
		"half a number":     {deployment("replicas: 2", `replicas: 2.5`), "m.yaml:6: document 1, spec.replicas: expected a whole number, got the number 2.5 → correct it"},
		"too large":         {deployment("replicas: 2", "replicas: 3000000000"), "m.yaml:6: document 1, spec.replicas: the number 3000000000 is too large or too small → correct it"},
		"within a list":     {deployment("containerPort: 8080", "containerPort: http"), "m.yaml:19: document 1, spec.template.spec.containers[0].ports[0].containerPort: expected a whole number, got a string → correct it"},
		"string a number":   {deployment("image: app:v1", "image: 5"), "m.yaml:17: document 1, spec.template.spec.containers[0].image: expected a string, got the number 5 → put it in quotes"},
		"list an object":    {deployment("      containers:\n      - name: app\n        image: app:v1\n        ports:\n        - containerPort: 8080\n", "      containers: {name: app}\n"), "m.yaml:15: document 1, spec.template.spec.containers: expected a list, got an object → correct it"},
		"yes is no string":  {head + "data:\n  a: yes\n", "m.yaml:6: document 1, data.a: expected a string, got the bool true → put it in quotes"},
		"quantity":          {deployment("        ports:\n        - containerPort: 8080\n", "        resources: {limits: {memory: 5 gigs}}\n"), `m.yaml:18: document 1, spec.template.spec.containers[0].resources.limits.memory: expected a quantity such as "500m" or "128Mi", got "5 gigs" → correct it`},
		"no base64":         {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  password: hunter2!\n", "m.yaml:5: document 1, data.password: the value is not base64 → encode it, or write it below stringData"},
		"within a List":     {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Pod\n", "m.yaml:7: document 1, items[1]: metadata is missing → give the object a name"},
		"List of a word":    {"apiVersion: v1\nkind: List\nitems:\n- word\n", "m.yaml:4: document 1, items[0]: expected an object, got a string → write an object there"},
		"2 MiB":             {head + "data:\n  small: x\n  big: " + strings.Repeat("x", 2<<20) + "\n", "m.yaml:7: document 1, data.big: the ConfigMap holds 2097153 bytes, and no cluster takes more than 1048576; 2097152 of them are this → split it, or put large content into an image or a volume"},
		"namespace no name": {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: A_B}\n", "m.yaml:3: document 1, metadata.namespace: \"A_B\" is no name of a namespace: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?') → correct it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := manifest.Parse("m.yaml", []byte(tc.text))
			got := render(problems)
			if len(got) != 1 || got[0] != tc.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), tc.want)
			}
		})
	}
}

func TestBadJSON(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"cut short": {"{\"kind\": \"A\",\n\n", "m.json:3: document 1: not JSON: unexpected EOF → correct the text"},
		"comma":     {"{\"kind\": \"A\",\n}", "m.json:2: document 1: not JSON: invalid character '}' looking for beginning of object key string → correct the text"},
		"twice":     {`{"apiVersion": "v1", "kind": "A", "kind": "B"}`, `m.json:1: document 1: not JSON: duplicate field "kind" → correct the text`},
		"empty":     {"", "m.json: there is no object in it → write a manifest, or leave it out"},
	} {
		_, problems := manifest.Parse("m.json", []byte(tc.text))
		if got := strings.Join(render(problems), "\n"); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, tc.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	documents, problems := manifest.Parse("m.yaml", []byte(deployment("replicas: 2", "replica: 2", "image: app:v1", "Image: app:v1\n        zzzzzzzz: 1")))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []string{
		`m.yaml:6: document 1, spec.replica: unknown field "replica" → did you mean "replicas"?`,
		`m.yaml:17: document 1, spec.template.spec.containers[0].Image: unknown field "Image" → did you mean "image"?`,
		`m.yaml:18: document 1, spec.template.spec.containers[0].zzzzzzzz: unknown field "zzzzzzzz" → leave it out`,
	}
	if diff := cmp.Diff(want, render(documents[0].Unknown())); diff != "" {
		t.Error(diff)
	}
}

func render(problems []manifest.Problem) []string {
	var lines []string
	for _, p := range problems {
		line := p.String() + " → " + p.Remedy
		if p.Warning {
			line = "warning " + line
		}
		lines = append(lines, line)
	}
	return lines
}
