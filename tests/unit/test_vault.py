"""What is sealed opens for its owner with its key, and for nobody else."""

import base64
from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings, strategies as st

from harvester.errors import KeyMissing, SealBroken
from harvester.vault import Context, KeyRing, Sealed

OWNER = Context("harvester", "acme", "ops@acme.example", "refresh_token")
OLD, NEW = b"o" * 32, b"n" * 32
RING = KeyRing({"new": NEW, "old": OLD})
ANY_TEXT = st.text(st.characters(exclude_categories=()))
CONTEXTS = st.builds(Context, *[st.text(max_size=4)] * 4)


@given(ANY_TEXT, CONTEXTS)
@example("\ud800", OWNER)
@settings(deadline=None)
def test_the_owner_gets_back_what_was_sealed(secret: str, owner: Context) -> None:
    assert RING.open(RING.seal(secret, owner), owner) == secret


@given(CONTEXTS, CONTEXTS)
@settings(deadline=None)
def test_nobody_else_gets_it(owner: Context, other: Context) -> None:
    assume(owner != other)
    with pytest.raises(SealBroken):
        RING.open(RING.seal("secret", owner), other)


def test_parts_of_an_owner_do_not_run_into_each_other() -> None:
    moved = replace(OWNER, tenant="acmeops", account="@acme.example")
    sealed = RING.seal("secret", replace(OWNER, tenant="acme", account="ops@acme.example"))
    with pytest.raises(SealBroken):
        RING.open(sealed, moved)


@given(st.data())
@settings(deadline=None)
def test_an_altered_or_cut_value_is_refused(data: st.DataObject) -> None:
    sealed = RING.seal("secret", OWNER)
    position = data.draw(st.integers(0, len(sealed.data) - 1))
    flipped = bytearray(sealed.data)
    flipped[position] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(flipped), sealed.data[:position], sealed.data + b"\0"):
        with pytest.raises(SealBroken):
            RING.open(Sealed(sealed.key_id, wrong), OWNER)


def test_another_key_opens_nothing() -> None:
    sealed = RING.seal("secret", OWNER)
    with pytest.raises(KeyMissing, match=r"'new' is not in the key file; put the line .* back"):
        KeyRing({"old": OLD}).open(sealed, OWNER)
    with pytest.raises(
        SealBroken, match=r"altered, or sealed for another .* log in again"
    ) as caught:
        KeyRing({"new": OLD}).open(sealed, OWNER)
    assert not isinstance(caught.value, KeyMissing), "it may not come back"


def test_the_same_secret_is_never_sealed_alike() -> None:
    assert RING.seal("secret", OWNER).data != RING.seal("secret", OWNER).data


def test_neither_keys_nor_secrets_show() -> None:
    shown = repr(RING) + repr(RING.seal("hunter2", OWNER))
    assert repr(RING) == "KeyRing(new, old)"
    assert "hunter2" not in shown
    assert base64.b64encode(NEW).decode()[:8] not in shown
