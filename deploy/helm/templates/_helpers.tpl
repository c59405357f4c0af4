{{/* Names and labels. */}}
{{- define "gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 40 characters: a StatefulSet adds 11 to it in a label, which has 63; our own names add some too. */}}
{{- define "gateway.fullname" -}}
{{- $both := printf "%s-%s" .Release.Name (include "gateway.name" .) }}
{{- if contains (include "gateway.name" .) .Release.Name }}{{ $both = .Release.Name }}{{ end }}
{{- default $both .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "gateway.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "gateway.serviceAccount" -}}
{{- default (include "gateway.fullname" .) .Values.serviceAccount.existing }}
{{- end }}

{{- define "gateway.policiesName" -}}
{{- default (printf "%s-policies" (include "gateway.fullname" .)) .Values.policies.existing }}
{{- end }}

{{- define "gateway.secretName" -}}
{{- default (include "gateway.fullname" .) .Values.secrets.existing }}
{{- end }}

{{- define "gateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The secret files that there are and have a meaning, as a JSON list. */}}
{{- define "gateway.secretKeys" -}}
{{- if .Values.secrets.existing }}{{ .Values.secrets.keys | toJson }}
{{- else }}{{ keys .Values.secrets.files | sortAlpha | toJson }}{{ end }}
{{- end }}

{{/* Secret files that hold a setting, and its name in the environment. */}}
{{- define "gateway.secretSettings" -}}
state-url: STATE_URL
sign-in-client-secret: SIGN_IN_CLIENT_SECRET
console-operators: CONSOLE_OPERATORS
console-viewers: CONSOLE_VIEWERS
{{- end }}

{{/* The secret files that are read once, at the start. */}}
{{- define "gateway.startSecrets" -}}
{{- range $key, $text := .Values.secrets.files }}
{{- if or (eq $key "audit.key") (hasKey (include "gateway.secretSettings" $ | fromYaml) $key) }}{{ $key }}={{ $text }};{{ end }}
{{- end }}
{{- end }}

{{/* What gateway.yaml holds: the values, and what the chart knows better. */}}
{{- define "gateway.settings" -}}
{{- $settings := deepCopy .Values.settings }}
{{- $server := dict "listen" "0.0.0.0:8080" "admin_listen" "0.0.0.0:9180" }}
{{- if .Values.tls.secret }}
{{- $_ := merge $server (dict "tls_cert" "/etc/soe-gateway/tls/tls.crt" "tls_key" "/etc/soe-gateway/tls/tls.key") }}
{{- end }}
{{- if and .Values.ingress.enabled .Values.ingress.tlsSecret (not (dig "server" "public_url" "" $settings)) }}
{{- $_ := set $server "public_url" (printf "https://%s" .Values.ingress.host) }}
{{- end }}
{{- $own := dict "server" $server "data" (dict "directory" "/var/lib/soe-gateway") "policies" (dict "directory" "/etc/soe-gateway/policies") }}
{{- if has "audit.key" (include "gateway.secretKeys" . | fromJsonArray) }}
{{- $_ := set $own "audit" (dict "key_file" "/run/secrets/soe-gateway/audit.key") }}
{{- end }}
{{- mergeOverwrite $settings $own | toYaml }}
{{- end }}

{{/* Seconds of a duration such as 25s, rounded up. */}}
{{- define "gateway.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- if eq $unit "ms" }}{{ div (add $number 999) 1000 }}
{{- else }}{{ mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit | int) }}{{ end }}
{{- end }}

{{/* The pod's last seconds: it still takes requests, then drains, then settles and syncs, with some to spare. */}}
{{- define "gateway.graceSeconds" -}}
{{- $drain := dig "server" "drain" "25s" .Values.settings }}
{{- add .Values.preStopSeconds (include "gateway.seconds" $drain | int) 10 }}
{{- end }}

{{/* What may be reached: peers, and ports by TCP. */}}
{{- define "gateway.reach" -}}
- to: {{ .to | toJson }}
  ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{- define "gateway.testLabels" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}
