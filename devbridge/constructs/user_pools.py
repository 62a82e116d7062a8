"""Who signs in: UserPool."""

from __future__ import annotations

from typing import Final, Literal

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.references import Reference
from devbridge.constructs.storage import Removal

SignIn = Literal["email", "username"]
SIGN_IN: Final = ("email", "username")
PASSWORDS: Final = (8, 99)
"""The shortest passwords that may be asked for; Cognito takes 6 to 99 (API, PasswordPolicyType)."""


class UserPool(Bindable):
    """A Cognito user pool: users sign up with an e-mail address, which a code that is mailed to it
    verifies, and sign in through one app client, without a secret. An Api takes it as an
    authorizer.

    Args:
        sign_in: the name that users sign in with: their "email", or a "username" beside it. Cognito
            keeps what a pool was made with: another value needs another pool.
        self_sign_up: False: only who has permission (`AdminCreateUser`) makes users.
        password_length: of the shortest password, 8 to 99; it also has a lower-case and an
            upper-case letter, a digit and a symbol.
        password_auth: True: a client may send the password itself, as scripts and tests do; by
            default it proves that it knows it (SRP), as the libraries for web pages and apps do.
        mfa: "optional", or True for all: a second factor, of an app that shows one-time codes.
        removal: as for Table.
        transform: called with its `troposphere.cognito.UserPool`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        sign_in: SignIn = "email",
        self_sign_up: bool = True,
        password_length: int = 8,
        password_auth: bool = False,
        mfa: bool | Literal["optional"] = False,
        removal: Removal | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        if sign_in not in SIGN_IN:
            raise self.invalid("sign_in", sign_in, " or ".join(map(repr, SIGN_IN)))
        low, high = PASSWORDS
        if type(password_length) is not int or not low <= password_length <= high:
            allowed = f"a whole number from {low} to {high}"
            raise self.invalid("password_length", password_length, allowed)
        if not isinstance(mfa, bool) and mfa != "optional":
            raise self.invalid("mfa", mfa, "False, 'optional' or True")
        self.choice("removal", removal, values.REMOVALS)
        self.sign_in: SignIn = sign_in
        self.self_sign_up = self.flag("self_sign_up", self_sign_up)
        self.password_length = password_length
        self.password_auth = self.flag("password_auth", password_auth)
        self.mfa = mfa
        self.removal = removal
        self.register()

    @property
    def arn(self) -> Reference:
        """The deployed pool's ARN."""
        return Reference(self, "arn")

    @property
    def user_pool_id(self) -> Reference:
        """The deployed pool's id."""
        return Reference(self, "user_pool_id")

    @property
    def client_id(self) -> Reference:
        """The id of its app client."""
        return Reference(self, "client_id")

    @property
    def issuer(self) -> Reference:
        """The URL that its tokens name as ``iss``."""
        return Reference(self, "issuer")
