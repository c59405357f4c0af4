"""The ASGI app of the proxy listener: every request comes in here and leaves with one answer.

The only place that catches everything. Bare ASGI: what a framework would normalise is what an
attacker would use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol

from gateway.errors import AuditError, RequestError, StoreError, UpstreamError
from gateway.model import Contact, Effect, Outcome, Reply
from gateway.observe.observer import Observer
from gateway.policy.policyset import PolicySet
from gateway.proxy.cors import is_preflight, preflight, readable
from gateway.proxy.exchange import ClientGoneError, Exchange, Receive, Response, Send
from gateway.proxy.passthrough import Passthrough
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.reload import Policies
from gateway.soe import answers
from gateway.soe.api import api_of, classify
from gateway.soe.read import check_head

OWN = b"/_gateway/"
"""Where the gateway's own pages are; in this spelling alone, and nothing below it is SOE's."""


class Pages(Protocol):
    """The pages for people, which know the proxy, as the proxy does not know them."""

    async def handle(self, exchange: Exchange, policies: PolicySet) -> Response:
        """Answer a request whose path begins with `/_gateway/`; raises as reading one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyApp:
    """Answers every request of the proxy listener.

    Attributes:
        contact: stands in refusals about registration.
        new_id: makes a decision id.
        pages: answers what is asked under `/_gateway/`.
    """

    policies: Policies
    pipeline: Pipeline
    passthrough: Passthrough
    observer: Observer
    contact: Contact
    new_id: Callable[[], str]
    pages: Pages

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = perf_counter()
        exchange = Exchange(scope, receive, send, self.new_id)
        status = sent = 0
        response = None
        self.observer.began()
        try:
            policies = self.policies.current
            response = await self._respond(exchange, policies)
            pages = policies.registry.has_origins and not exchange.target.startswith(OWN)
            if pages:  # of the web, which may read answers; those of ours are for people
                fields = readable(policies.registry, exchange.headers, response.headers)
                response = replace(response, headers=fields)
            status = response.status
            sent = await exchange.answer(response)
        except ClientGoneError:
            exchange.code = "client_gone"
            if response is not None and response.when_lost is not None:
                await response.when_lost()
        except UpstreamError as error:  # SOE cut its body: ours stays unfinished, and closes
            exchange.code = error.code
        finally:
            self.observer.left()
        self.observer.finished(exchange, status, sent, perf_counter() - started)

    async def _respond(self, exchange: Exchange, policies: PolicySet) -> Response:
        """Give the answer; whatever goes wrong becomes one in the caller's dialect."""
        try:
            if exchange.target.startswith(OWN):
                return await self.pages.handle(exchange, policies)
            if policies.registry.has_origins and is_preflight(exchange.method, exchange.headers):
                exchange.operation = "read"
                return preflight(policies.registry, exchange.headers)
            route = classify(exchange.method, exchange.target)
            exchange.operation = route.endpoint.operation
            check_head(route, exchange.headers)
            if route.endpoint.write:
                return await self.pipeline.handle(exchange, route, policies)
            return await self.passthrough.handle(exchange, route, policies)
        except ClientGoneError:
            raise
        except RequestError as error:
            exchange.code = error.code
            reply = answers.refuse_request(
                api_of(exchange.target),
                error,
                write_id=exchange.decision_id,
                revision=policies.revision,
                contact=self.contact,
            )
        except UpstreamError as error:
            self.observer.upstream_failed(error)
            exchange.code = error.code
            reply = self._upstream_failed(exchange, policies, error)
        except StoreError as error:  # a page of ours: whatever asks state of a write says so itself
            self.observer.store_failed("pages", error)
            exchange.code = "state_unavailable"
            reply = self._unavailable(exchange, policies, "State cannot be asked.")
        except AuditError as error:
            self.observer.audit_failed(error)
            exchange.code = "audit_unavailable"
            reply = self._unavailable(exchange, policies, "The audit log cannot be written.")
        except Exception as error:  # noqa: BLE001  # the one place: a bug refuses, and is told
            self.observer.crashed(error)
            exchange.code = "internal_error"
            reply = self._crashed(exchange, policies)
        return Response.of(reply)

    def _upstream_failed(
        self, exchange: Exchange, policies: PolicySet, error: UpstreamError
    ) -> Reply:
        if exchange.effect and error.outcome is Outcome.UNKNOWN:
            return self._outcome_unknown(exchange, policies)
        status = 503
        if not exchange.effect:  # a read, which may be repeated as one likes
            status = 504 if error.code.endswith("timeout") else 502
        return self._unavailable(exchange, policies, "Stack Overflow did not answer.", status)

    def _crashed(self, exchange: Exchange, policies: PolicySet) -> Reply:
        if exchange.effect == Effect.ALLOW:  # it may have been sent
            return self._outcome_unknown(exchange, policies)
        return self._unavailable(exchange, policies, "The gateway failed on this request.")

    def _outcome_unknown(self, exchange: Exchange, policies: PolicySet) -> Reply:
        return answers.outcome_unknown(
            api_of(exchange.target), write_id=exchange.decision_id, revision=policies.revision
        )

    def _unavailable(
        self, exchange: Exchange, policies: PolicySet, detail: str, status: int = 503
    ) -> Reply:
        return answers.unavailable(
            api_of(exchange.target),
            exchange.code,
            detail,
            write_id=exchange.decision_id,
            revision=policies.revision,
            retry_after=5,
            status=status,
        )
