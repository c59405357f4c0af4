{{/* What cannot work together, said before anything is installed, with what to do. */}}
{{- define "gateway.sense" -}}
{{- $settings := .Values.settings }}
{{- $secrets := include "gateway.secretKeys" . | fromJsonArray }}
{{- $stateUrl := dig "state" "url" "" $settings }}
{{- $shared := or (has "state-url" $secrets) (regexMatch "^rediss?://" $stateUrl) }}
{{- if not (dig "upstream" "url" "" $settings) }}
{{- fail "settings.upstream.url is missing: where Stack Overflow Enterprise is, as https://soe.example.com" }}
{{- end }}
{{- if not (dig "site" "contact" "name" "" $settings) }}
{{- fail "settings.site.contact.name is missing: whom refused integrations are told to ask; give it with url or email" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not $shared) }}
{{- fail "replicas is more than 1, and each would count and remember alone: give the URL of a Redis or Valkey, as secrets.files.state-url or settings.state.url" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not (has "audit.key" $secrets)) }}
{{- fail "replicas is more than 1, and each would make an audit key of its own: give one for all as secrets.files.\"audit.key\" (openssl rand -hex 32)" }}
{{- end }}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@]*@" $stateUrl }}
{{- fail "settings.state.url holds a password, which a ConfigMap would show: give the URL as secrets.files.state-url" }}
{{- end }}
{{- if and $stateUrl (has "state-url" $secrets) }}
{{- fail "settings.state.url and the secret file state-url are both given: keep one of them" }}
{{- end }}
{{- if and .Values.secrets.existing .Values.secrets.files }}
{{- fail "secrets.existing and secrets.files are both given: put the files into that Secret, or leave it out" }}
{{- end }}
{{- if and (has "integrations.yaml" $secrets) (not .Values.policies.existing) (hasKey .Values.policies.files "integrations.yaml") }}
{{- fail "integrations.yaml is given twice, in secrets and in policies: keep one of them" }}
{{- end }}
{{- if and (dig "server" "tls_client_ca" "" $settings) (not .Values.tls.secret) }}
{{- fail "settings.server.tls_client_ca without tls.secret: clients show certificates over HTTPS alone" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.host is missing: the name under which integrations find the gateway" }}
{{- end }}
{{- with .Values.networkPolicy }}
{{- if .enabled }}
{{- if not .to.soe.to }}
{{- fail "networkPolicy.to.soe.to is empty, so pods could not reach SOE: name its addresses, as [{ipBlock: {cidr: 203.0.113.7/32}}], or set networkPolicy.enabled to false" }}
{{- end }}
{{- if and $shared (not .to.redis.to) }}
{{- fail "networkPolicy.to.redis.to is empty, so pods could not reach their state: name where Redis or Valkey is" }}
{{- end }}
{{- if and (dig "sign_in" "issuer" "" $settings) (not .to.signIn.to) }}
{{- fail "networkPolicy.to.signIn.to is empty, so nobody could sign in: name where the OpenID provider of settings.sign_in.issuer is" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
