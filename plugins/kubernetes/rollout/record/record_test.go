package record_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record/recordtest"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	api := &secretsAPI{all: map[string]*corev1.Secret{}}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	recordtest.Run(t, recordtest.Place{
		Config:    &rest.Config{Host: server.URL},
		Namespace: func(*testing.T) string { return fmt.Sprint("ns-", api.count()) },
	})
}

// secretsAPI is as much of an API server as Secrets need: compare and set, the limit of
// their size, immutable ones, preconditions, labels.
type secretsAPI struct {
	mu      sync.Mutex
	all     map[string]*corev1.Secret
	version int
}

func (a *secretsAPI) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	return a.version
}

var group = corev1.Resource("secrets")

// ServeHTTP answers one request at a time.
func (a *secretsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/"), "/") // shop secrets name
	if len(path) < 2 || path[1] != "secrets" {
		say(w, http.StatusNotFound, &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound})
		return
	}
	namespace, name := path[0], ""
	if len(path) > 2 {
		name = path[2]
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var answer any
	switch r.Method {
	case http.MethodGet:
		if name == "" {
			answer = a.list(r, namespace)
		} else {
			answer = a.get(namespace, name)
		}
	case http.MethodPost:
		answer = a.create(namespace, decode(body).(*corev1.Secret)) //nolint:forcetypeassert // nothing else comes here
	case http.MethodPut:
		answer = a.update(namespace, decode(body).(*corev1.Secret)) //nolint:forcetypeassert // nothing else comes here
	case http.MethodPatch:
		answer = a.patch(namespace, name, body)
	case http.MethodDelete:
		answer = a.remove(namespace, name, decode(body))
	}
	if failed, ok := answer.(*apierrors.StatusError); ok {
		status := failed.Status()
		status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		say(w, int(status.Code), status)
		return
	}
	say(w, http.StatusOK, answer)
}

func say(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // who is gone hears nothing
}

func decode(body []byte) any {
	if len(body) == 0 {
		return nil
	}
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		options := &metav1.DeleteOptions{}
		if json.Unmarshal(body, options) == nil {
			return options
		}
		panic(err) // of the test itself
	}
	return o
}

func (a *secretsAPI) get(namespace, name string) any {
	if s := a.all[namespace+"/"+name]; s != nil {
		return s
	}
	return apierrors.NewNotFound(group, name)
}

func (a *secretsAPI) list(r *http.Request, namespace string) any {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	secrets := corev1.SecretList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}}
	metas := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"}}
	for _, key := range slices.Sorted(maps.Keys(a.all)) {
		if s := a.all[key]; s.Namespace == namespace && selector.Matches(labels.Set(s.Labels)) {
			secrets.Items = append(secrets.Items, *s)
			metas.Items = append(metas.Items, metav1.PartialObjectMetadata{ObjectMeta: s.ObjectMeta})
		}
	}
	if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") {
		return metas
	}
	return secrets
}

// put stores what was checked.
func (a *secretsAPI) put(s *corev1.Secret) any {
	size := 0
	for _, data := range s.Data {
		size += len(data)
	}
	if size > corev1.MaxSecretSize {
		return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), s.Name, nil)
	}
	a.version++
	s.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	s.ResourceVersion = strconv.Itoa(a.version)
	a.all[s.Namespace+"/"+s.Name] = s
	return s
}

func (a *secretsAPI) create(namespace string, s *corev1.Secret) any {
	s.Namespace = namespace
	if s.Name == "" {
		s.Name = s.GenerateName + strconv.Itoa(a.version)
	}
	if a.all[namespace+"/"+s.Name] != nil {
		return apierrors.NewAlreadyExists(group, s.Name)
	}
	s.UID, s.CreationTimestamp = types.UID(strconv.Itoa(a.version)), metav1.Now()
	return a.put(s)
}

func (a *secretsAPI) update(namespace string, s *corev1.Secret) any {
	live := a.all[namespace+"/"+s.Name]
	switch {
	case live == nil:
		return apierrors.NewNotFound(group, s.Name)
	case s.ResourceVersion != "" && s.ResourceVersion != live.ResourceVersion:
		return apierrors.NewConflict(group, s.Name, fmt.Errorf("it is %s", live.ResourceVersion)) //nolint:err113 // as the API server says it
	}
	s.Namespace, s.UID, s.CreationTimestamp = namespace, live.UID, live.CreationTimestamp
	return a.put(s)
}

// patch takes annotations, and nothing else.
func (a *secretsAPI) patch(namespace, name string, body []byte) any {
	live := a.all[namespace+"/"+name]
	if live == nil {
		return apierrors.NewNotFound(group, name)
	}
	var merge struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &merge); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	live = live.DeepCopy()
	maps.Copy(live.Annotations, merge.Metadata.Annotations)
	return a.put(live)
}

func (a *secretsAPI) remove(namespace, name string, options any) any {
	live := a.all[namespace+"/"+name]
	if live == nil {
		return apierrors.NewNotFound(group, name)
	}
	if o, ok := options.(*metav1.DeleteOptions); ok && o.Preconditions != nil {
		if v := o.Preconditions.ResourceVersion; v != nil && *v != live.ResourceVersion {
			return apierrors.NewConflict(group, name, fmt.Errorf("it is %s", live.ResourceVersion)) //nolint:err113 // as the API server says it
		}
	}
	delete(a.all, namespace+"/"+name)
	return metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess}
}
