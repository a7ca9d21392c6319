{{/* The roles of a part, as a JSON list of {namespace, rules}. files/rbac.yaml is what "kubevitals rbac" prints for each choice. */}}

{{- define "kubevitals.roles" -}}
{{- if .values.rbac.roles }}{{ toJson .values.rbac.roles }}
{{- else }}
{{- $known := .root.Files.Get "files/rbac.yaml" | fromYaml }}
{{- $cluster := list }}
{{- $namespaced := list }}
{{- if .root.Values.auth.enabled }}{{ $cluster = concat $cluster $known.auth }}{{ end }}
{{- if eq .part "pods" }}{{ $namespaced = concat $namespaced $known.pods }}
{{- else }}
{{- $chosen := include "kubevitals.catalogRules" (merge (dict "known" $known) .) | fromJson }}
{{- $cluster = concat $cluster (default list $chosen.cluster) }}
{{- $namespaced = concat $namespaced (default list $chosen.namespaced) }}
{{- if .values.rulesConfigMaps }}{{ $namespaced = concat $namespaced $known.rulesConfigMaps }}{{ end }}
{{- if .values.metricPipelines }}{{ $cluster = concat $cluster $known.metricPipelines }}{{ end }}
{{- $namespaced = concat $namespaced .root.Values.rbac.extraRules }}
{{- end }}
{{- $namespaced = concat $namespaced .values.rbac.extraRules }}
{{- $roles := list }}
{{- if .values.namespaces }}
{{- range .values.namespaces }}{{ if $namespaced }}{{ $roles = append $roles (dict "namespace" . "rules" $namespaced) }}{{ end }}{{ end }}
{{- else }}{{ $cluster = concat $cluster $namespaced }}{{ end }}
{{- if $cluster }}{{ $roles = prepend $roles (dict "namespace" "" "rules" $cluster) }}{{ end }}
{{- $own := list }}
{{- if .values.leaderElection }}
{{- $lease := include "kubevitals.name" . }}
{{- $shards := eq .values.kind "StatefulSet" }}
{{- range $known.leaderElection }}
{{- if .resourceNames }}{{ $_ := set . "resourceNames" (list $lease) }}{{ if $shards }}{{ $_ := unset . "resourceNames" }}{{ end }}{{ end }}
{{- $own = append $own . }}
{{- end }}
{{- end }}
{{- if and (eq .part "state") (eq .values.kind "StatefulSet") }}
{{- $name := include "kubevitals.name" . }}
{{- range $known.shards }}
{{- if .resourceNames }}{{ $_ := set . "resourceNames" (list $name) }}{{ end }}
{{- $own = append $own . }}
{{- end }}
{{- end }}
{{- $roles = include "kubevitals.withRules" (dict "roles" $roles "namespace" .root.Release.Namespace "rules" $own) | fromJsonArray }}
{{- toJson $roles }}
{{- end }}
{{- end }}

{{/* Rules of the catalogs in use: {cluster, namespaced}. */}}
{{- define "kubevitals.catalogRules" -}}
{{- $cluster := list }}
{{- $namespaced := list }}
{{- $catalogs := .values.catalogs }}
{{- if and .values.metricPipelines (not (has "kyma" $catalogs)) }}{{ $catalogs = append $catalogs "kyma" }}{{ end }}
{{- range $catalog := $catalogs }}
{{- $rules := index $.known.catalogs $catalog }}
{{- if not $rules }}{{ fail (printf "state.catalogs: there is no catalog %q: there are %s" $catalog (keys $.known.catalogs | sortAlpha | join ", ")) }}{{ end }}
{{- if and (eq $catalog "conditions") $.values.rbac.groups }}
{{- $rules = dict "namespaced" (list (dict "apiGroups" $.values.rbac.groups "resources" (list "*") "verbs" (list "list" "watch"))) "cluster" list "groups" dict }}
{{- if $.values.namespaces }}{{ $_ := set $rules "cluster" $rules.namespaced }}{{ end }}
{{- end }}
{{- $choices := list $rules }}
{{- range $.values.enable }}{{ with get (default dict $rules.groups) . }}{{ $choices = append $choices . }}{{ end }}{{ end }}
{{- range $choices }}
{{- $cluster = concat $cluster (default list .cluster) }}
{{- $namespaced = concat $namespaced (default list .namespaced) }}
{{- end }}
{{- end }}
{{- if eq .values.collect "scrape" }}{{ range concat $cluster $namespaced }}{{ $_ := set . "verbs" (without .verbs "watch") }}{{ end }}{{ end }}
{{- toJson (dict "cluster" $cluster "namespaced" $namespaced) }}
{{- end }}

{{/* Roles with further rules in one namespace. */}}
{{- define "kubevitals.withRules" -}}
{{- $out := list }}
{{- $found := not .rules }}
{{- range .roles }}
{{- if and $.rules (eq .namespace $.namespace) }}{{ $found = true }}{{ $out = append $out (dict "namespace" .namespace "rules" (concat .rules $.rules)) }}
{{- else }}{{ $out = append $out . }}{{ end }}
{{- end }}
{{- if not $found }}{{ $out = append $out (dict "namespace" .namespace "rules" .rules) }}{{ end }}
{{- toJson $out }}
{{- end }}
