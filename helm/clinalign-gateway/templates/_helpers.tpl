{{- define "clinalign.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters, so that the longest suffix still fits into a label; no dots, which a Service may not have. */}}
{{- define "clinalign.fullname" -}}
{{- $name := include "clinalign.name" . -}}
{{- $joined := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $joined .Values.fullnameOverride | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Takes a list: the root and a component. */}}
{{- define "clinalign.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "clinalign.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "clinalign.labels" -}}
{{- $root := index . 0 -}}
{{ include "clinalign.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Takes a list: an image's values and the tag to use when none is given. */}}
{{- define "clinalign.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default (index . 1) $image.tag }}
{{- end -}}
{{- end -}}

{{- define "clinalign.upstream" -}}
{{- if .Values.vllm.enabled -}}
http://{{ include "clinalign.fullname" . }}-vllm:8000/v1
{{- else -}}
{{ .Values.upstream.url }}
{{- end -}}
{{- end -}}

{{- define "clinalign.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- end -}}

{{- define "clinalign.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where pods run; takes a component's values. Empty ones are left out. */}}
{{- define "clinalign.placement" -}}
{{- range $field := list "priorityClassName" "runtimeClassName" "nodeSelector" "affinity" "tolerations" }}
{{- with get $ $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* How many failed probes fill a startup budget, rounded up. */}}
{{- define "clinalign.startupFailures" -}}
{{- div (add (int .budgetSeconds) (sub (int .periodSeconds) 1)) (int .periodSeconds) -}}
{{- end -}}

{{/* Where the image holds the small judge. */}}
{{- define "clinalign.imageJudge" -}}
/opt/clinalign/judge
{{- end -}}

{{/* Takes a list: the root and a path. Whether the gateway's pod has it: on a volume that it was given, or the image's judge. */}}
{{- define "clinalign.isMounted" -}}
{{- $root := index . 0 -}}
{{- $path := clean (index . 1) -}}
{{- $found := eq $path (include "clinalign.imageJudge" $root) -}}
{{- range $root.Values.gateway.extraVolumeMounts -}}
{{- $mount := clean .mountPath -}}
{{- $found = or $found (eq $path $mount) (hasPrefix (printf "%s/" $mount) $path) -}}
{{- end -}}
{{- if $found }}true{{ end -}}
{{- end -}}

{{/* Whether the gateways share state. */}}
{{- define "clinalign.sharesState" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret .Values.valkey.enabled }}true{{ end -}}
{{- end -}}
