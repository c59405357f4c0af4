"""What of the chart in deploy/helm comes from elsewhere: versions, schema, table of values, copies.

A chart reads only what lies in its own folder, so the alerts and the dashboard lie there once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gateway import __version__
from gateway.settings import TABLE, readers
from gateway.settings.table import SHORT, Setting

CHART = Path(__file__).parents[1] / "deploy" / "helm"
OWN = {
    "server.listen",
    "server.admin_listen",
    "server.tls_cert",
    "server.tls_key",
    "policies.directory",
    "audit.key_file",
    "data.directory",
    "sign_in.client_secret",
}
"""Settings that the chart knows itself, or that are secrets."""
_LISTS = (readers.admitted, readers.networks, readers.sinks)
SECRETS = [
    "audit.key",
    "integrations.yaml",
    "state-url",
    "sign-in-client-secret",
    "console-operators",
    "console-viewers",
]
"""Secret files that have a meaning."""
_BEGIN, _END = "<!-- values -->\n", "<!-- end of values -->\n"

_TEXT = {"type": "string"}
_NAME = {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"}
_LABELS = {"type": "object", "additionalProperties": _TEXT}
_OBJECT = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}
_SWITCH = {"type": "boolean"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_FILES = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9_][-._A-Za-z0-9]{0,252}$"},
    "additionalProperties": _TEXT,
}


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


_REACH = _closed(to=_OBJECTS, ports={"type": "array", "items": _PORT, "minItems": 1})


def chart_files(alerts: str, dashboard: str) -> dict[Path, str]:
    """Give the text of every file of the chart that is made."""
    described = (CHART / "Chart.yaml").read_text()
    readme = (CHART / "README.md").read_text()
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return {
        CHART / "Chart.yaml": re.sub(
            r"(?m)^(version|appVersion): .*$", rf"\1: {__version__}", described
        ),
        CHART / "values.schema.json": json.dumps(_schema(), indent=1) + "\n",
        CHART / "README.md": f"{before}{_BEGIN}{_table()}\n{_END}{after}",
        CHART / "files" / "rules.yaml": alerts,
        CHART / "files" / "soe-write-gateway.json": dashboard,
    }


def _schema() -> dict[str, Any]:
    """Say what values may be; of settings, their names and kinds as the gateway knows them."""
    values = _closed(
        replicas={"type": "integer", "minimum": 1},
        image=_closed(
            repository={"type": "string", "minLength": 1},
            tag=_TEXT,
            digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
        ),
        imagePullSecrets={"type": "array", "items": _closed(name=_NAME)},
        nameOverride=_NAME,
        fullnameOverride=_NAME,
        settings=_settings(),
        policies=_closed(files=_FILES, existing=_NAME),
        secrets=_closed(
            files=_FILES,
            existing=_NAME,
            keys={"type": "array", "items": {"enum": SECRETS}, "uniqueItems": True},
        ),
        tls=_closed(secret=_NAME),
        authorities=_NAME,
        service=_closed(
            type={"enum": ["ClusterIP", "LoadBalancer", "NodePort"]},
            port={"anyOf": [_PORT, {"type": "null"}]},
            annotations=_LABELS,
        ),
        ingress=_closed(
            enabled=_SWITCH, className=_NAME, host=_NAME, tlsSecret=_NAME, annotations=_LABELS
        ),
        networkPolicy=_closed(
            enabled=_SWITCH,
            **{"from": _closed(clients=_OBJECTS, admin=_OBJECTS)},
            to=_closed(dns=_REACH, soe=_REACH, redis=_REACH, signIn=_REACH, telemetry=_REACH),
        ),
        persistence=_closed(
            size={"type": "string", "pattern": "^[1-9][0-9]*(Mi|Gi|Ti)$"}, storageClass=_NAME
        ),
        monitoring=_closed(
            serviceMonitor=_closed(
                enabled=_SWITCH,
                interval={"type": "string", "pattern": "^[1-9][0-9]*(s|m)$"},
                labels=_LABELS,
            ),
            prometheusRule=_closed(
                enabled=_SWITCH,
                labels=_LABELS,
                runbooks={"type": "string", "pattern": "^(https?://.+)?$"},
            ),
            dashboard=_closed(enabled=_SWITCH, labels=_LABELS),
        ),
        podDisruptionBudget=_closed(
            maxUnavailable={
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "string", "pattern": "^[1-9][0-9]?%$"},
                ]
            }
        ),
        topologySpread=_OBJECTS,
        resources=_closed(requests=_OBJECT, limits=_OBJECT),
        preStopSeconds={"type": "integer", "minimum": 1, "maximum": 60},
        serviceAccount=_closed(existing=_NAME, annotations=_LABELS),
        podLabels=_LABELS,
        podAnnotations=_LABELS,
        nodeSelector=_LABELS,
        tolerations=_OBJECTS,
        affinity=_OBJECT,
        priorityClassName=_NAME,
    )
    values["properties"]["global"] = _OBJECT  # helm's own, of charts that hold this one
    return {"$schema": "http://json-schema.org/draft-07/schema#", **values}


def _settings() -> dict[str, Any]:
    root = _closed()
    for name, setting in TABLE.items():
        if name in OWN:
            continue
        *sections, last = name.split(".")
        at = root
        for section in sections:
            at = at["properties"].setdefault(section, _closed())
        at["properties"][last] = _kind(setting)
    for short, name in SHORT.items():
        *sections, last = short.split(".")
        at = root
        for section in sections:
            at = at["properties"][section]
        at["properties"][last] = {"anyOf": [at["properties"][last], _kind(TABLE[name])]}
    return root


def _kind(setting: Setting) -> dict[str, Any]:
    kind: dict[str, Any] = _TEXT
    if setting.read is readers.switch:
        kind = _SWITCH
    elif setting.default.isdigit():
        kind = {"type": "integer"}
    elif setting.read in _LISTS:
        kind = {"type": "array", "items": _TEXT}
    return {**kind, "description": setting.meaning}


def _table() -> str:
    heads = "| value | default | meaning |"
    rows = [f"| `{name}` | {_code(default)} | {said} |" for name, default, said in documented()]
    return "\n".join([heads, "|---|---|---|", *rows])


def documented() -> Iterator[tuple[str, Any, str]]:
    """Give the values that a comment tells of: dotted name, default, what the comment says."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    path: list[str] = []
    said = ""
    for line in text.splitlines():
        if found := re.match(r" *# -- (.*)", line):
            said = found[1]
        elif found := re.match(r"( *)([A-Za-z]+):", line):
            path[len(found[1]) // 2 :] = [found[2]]
            if said:
                value = values
                for key in path:
                    value = value[key]
                yield ".".join(path), value, said
            said = ""


def _code(value: Any) -> str:
    if value in ("", None):
        return "–"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
