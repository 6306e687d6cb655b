"""Saved logins: whether one can be used for what is wanted, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.scopes import WANTS, lacking
from zcrm_nb.errors import LoginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.auth.vault import Profile

__all__ = ["addresses_of", "check_same", "missing_wants", "not_used"]


def addresses_of(profile: Profile) -> Addresses:
    """Find the addresses of a saved login: of its data centre, or the hosts named for it."""
    return addresses(
        profile.dc,
        profile.environment,
        accounts_url=profile.grant.accounts_url,
        api_domain=profile.api_domain,
        upload_url=profile.upload_url,
    )


def check_same(name: str, saved: Profile, given: Mapping[str, Any]) -> None:
    """Refuse a saved login that is clearly another than the requested one."""
    facts = {
        "client_id": saved.grant.client_id,
        "environment": saved.environment,
        "accounts_url": saved.grant.accounts_url,
    }
    other = [key for key, fact in facts.items() if given.get(key, fact) != fact]
    if other:
        raise LoginError(
            f"The saved login {name!r} has another {' and '.join(other)} than the requested one.",
            todo="Give profile= another name to keep both, or force=True to replace it.",
        )


def missing_wants(saved: Profile, wants: tuple[str, ...]) -> list[str]:
    """List what a saved login was not granted, as far as Zoho said."""
    if not saved.scopes:
        return []
    return [want for want in wants if want in WANTS and lacking(want, saved.scopes)]


def not_used(name: str, error: LoginError) -> str:
    """Say why a saved login is not used."""
    reason = " ".join(filter(None, (error.happened, error.said)))
    return f"The saved login {name!r} no longer works. {reason}"
