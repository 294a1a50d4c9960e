{{/* What the gateway reads from its environment: addresses and keys. All else is in the TOML file. */}}
{{- define "clinalign.gatewayEnv" -}}
- {name: CLINALIGN_CONFIG, value: /etc/clinalign/clinalign.toml}
- {name: CLINALIGN_HOST, value: "0.0.0.0"}
- {name: CLINALIGN_PORT, value: "8080"}
- {name: CLINALIGN_UPSTREAM, value: {{ include "clinalign.upstream" . | quote }}}
- {name: CLINALIGN_MODEL, value: {{ .Values.model | quote }}}
- name: CLINALIGN_API_KEYS
  valueFrom:
    secretKeyRef: {name: {{ .Values.apiKeys.existingSecret }}, key: {{ .Values.apiKeys.key }}}
{{- if .Values.upstream.existingSecret }}
- name: CLINALIGN_UPSTREAM_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.upstream.existingSecret }}, key: {{ .Values.upstream.key }}}
{{- end }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- {name: CLINALIGN_AUDIT_PATH, value: /var/lib/clinalign/$(POD_NAME).jsonl}
{{- if .Values.audit.existingSecret }}
- name: CLINALIGN_AUDIT_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.audit.existingSecret }}, key: {{ .Values.audit.key }}}
{{- end }}
{{- if .Values.valkey.enabled }}
- name: VALKEY_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .Values.valkey.existingSecret }}, key: {{ .Values.valkey.key }}}
- {name: CLINALIGN_REDIS_URL, value: "redis://:$(VALKEY_PASSWORD)@{{ include "clinalign.fullname" . }}-valkey:6379/0"}
{{- else if .Values.redis.existingSecret }}
- name: CLINALIGN_REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ .Values.redis.existingSecret }}, key: {{ .Values.redis.key }}}
{{- else if .Values.redis.url }}
- {name: CLINALIGN_REDIS_URL, value: {{ .Values.redis.url | quote }}}
{{- end }}
{{- with .Values.gateway.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
