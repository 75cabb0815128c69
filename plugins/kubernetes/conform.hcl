# What the conformance suite deploys: `apm plugin test bin/plugins/apm-plugin-kubernetes`. It needs a cluster: what
# $KUBECONFIG names, a namespace there ($APM_NAMESPACE), and a registry with the images of `make cluster-up`, such as
# $APM_IMAGE:v1. kubectl is called by its name.

config {
  kubeconfig = env("KUBECONFIG")
  namespace  = env("APM_NAMESPACE")
}

spec "v1" {
  manifests = ["${tmp}/v1.yaml"]
  manifest  = <<-YAML
    apiVersion: v1
    kind: Secret
    metadata: {name: api}
    stringData: {token: canary-3f9c21}
  YAML
}

spec "v2" {
  manifests = ["${tmp}/v2.yaml"]
  manifest  = <<-YAML
    apiVersion: v1
    kind: Secret
    metadata: {name: api}
    stringData: {token: canary-3f9c21}
  YAML
}

# Validate must object to it: a component is one workload.
spec "bad" {
  deployment_name  = "api"
  statefulset_name = "api"
}

# Not ready for ten minutes.
spec "slow" {
  manifests = ["${tmp}/slow.yaml"]
}

# Its image is not there.
spec "failing" {
  manifests = ["${tmp}/failing.yaml"]
}

# What stands in a Secret, and nobody may see.
secrets = ["canary-3f9c21"]

prepare {
  command = ["/bin/sh", "-c", <<-SH
    manifests() {
      cat <<END
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      selector: {app: api}
      ports: [{name: http, port: 80, targetPort: 8080}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: api}
    spec:
      progressDeadlineSeconds: 900
      selector: {matchLabels: {app: api}}
      template:
        metadata: {labels: {app: api}}
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - name: app
            image: $APM_IMAGE:$1
            env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: api, key: token, optional: true}}}$2]
            readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
    END
    }
    manifests v1 >'${tmp}/v1.yaml'
    manifests v2 >'${tmp}/v2.yaml'
    manifests nowhere >'${tmp}/failing.yaml'
    manifests v2 ', {name: APP_MODE, value: slow}, {name: APP_DELAY, value: 600s}' >'${tmp}/slow.yaml'
  SH
  ]
}

# The files of version 1 change after it was resolved.
change_files {
  command = ["/bin/sh", "-c", "cp '${tmp}/v1.yaml' '${tmp}/kept' && sed 's/:v1$/:v3/' '${tmp}/kept' >'${tmp}/v1.yaml'"]
  undo    = ["/bin/sh", "-c", "cp '${tmp}/kept' '${tmp}/v1.yaml'"]
}

# Somebody sets another image, as soon as the Deployment is there.
change_live {
  command = ["/bin/sh", "-c", <<-SH
    n=0
    until kubectl --namespace "$APM_NAMESPACE" set image deployment/api "app=$APM_IMAGE:v3"; do
      n=$((n + 1))
      [ $n -lt 60 ] || exit 1
      sleep 0.5
    done
  SH
  ]
}
