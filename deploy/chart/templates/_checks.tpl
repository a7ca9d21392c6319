{{/* What values must not be together. */}}
{{- define "kubevitals.checks" -}}
{{- $v := .Values }}
{{- $both := and $v.state.enabled $v.pods.enabled }}
{{- if and $both $v.auth.enabled $v.tls.secretName (ne $v.tls.source "secret") }}{{ fail "tls.secretName: both parts would have a certificate of this name: leave it empty, or use tls.source: secret" }}{{ end }}
{{- if and $both $v.state.appName (eq $v.state.appName $v.pods.appName) }}{{ fail "state.appName, pods.appName: each part would select the pods of the other: use two names" }}{{ end }}
{{- $monitors := or $v.serviceMonitor.enabled $v.podMonitor.enabled }}
{{- if and $monitors $v.auth.enabled (not $v.reader.secretName) }}
{{- if not (and $v.reader.create $v.reader.token) }}{{ fail "reader: monitors need a token: set reader.secretName to a Secret that has one, or leave reader.create and reader.token on" }}{{ end }}
{{- if $v.auth.audiences }}{{ fail "auth.audiences: the token of the reader is for the API server: set reader.secretName to a Secret with one for these audiences" }}{{ end }}
{{- end }}
{{- with $v.customResourceState }}
{{- if and .enabled .create (not .config) }}{{ fail "customResourceState.config: what is in the file? Give it here, or set create to false and name to that of a ConfigMap" }}{{ end }}
{{- if and .enabled (not .create) (not .name) }}{{ fail "customResourceState.name: which ConfigMap has the file?" }}{{ end }}
{{- end }}
{{- if and $v.state.enabled $v.state.leaderElection (not (or $v.state.otlpEndpoint $v.state.metricPipelines $v.state.extraEnv $v.state.extraArgs $v.state.args)) }}
{{- fail "state.leaderElection: nothing is pushed that one of several replicas could do alone: set otlpEndpoint, or metricPipelines" }}
{{- end }}
{{- end }}
