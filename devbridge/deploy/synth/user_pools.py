"""User pools: who signs in, and through which client."""

from __future__ import annotations

from typing import Any, Final

from devbridge import names
from devbridge.constructs import UserPool
from devbridge.deploy.references import ref, sub
from devbridge.deploy.synth.stack import Stack, keep

_MFA: Final = {False: "OFF", "optional": "OPTIONAL", True: "ON"}


def add_user_pool(stack: Stack, pool: UserPool) -> None:
    """Add a user pool and its app client."""
    from troposphere import cognito

    resource = cognito.UserPool(
        names.logical(pool),
        AutoVerifiedAttributes=["email"],
        Schema=[cognito.SchemaAttribute(Name="email", Required=True, Mutable=True)],
        UsernameConfiguration=cognito.UsernameConfiguration(CaseSensitive=False),
        VerificationMessageTemplate=cognito.VerificationMessageTemplate(
            DefaultEmailOption="CONFIRM_WITH_CODE"
        ),
        # Who has lost the password gets a code by e-mail, too: there are no telephone numbers.
        AccountRecoverySetting=cognito.AccountRecoverySetting(
            RecoveryMechanisms=[cognito.RecoveryOption(Name="verified_email", Priority=1)]
        ),
        AdminCreateUserConfig=cognito.AdminCreateUserConfig(
            AllowAdminCreateUserOnly=not pool.self_sign_up
        ),
        Policies=cognito.Policies(
            PasswordPolicy=cognito.PasswordPolicy(
                MinimumLength=pool.password_length,
                RequireLowercase=True,
                RequireNumbers=True,
                RequireSymbols=True,
                RequireUppercase=True,
            )
        ),
        # An address that is changed is used from when its new owner has typed the code.
        UserAttributeUpdateSettings=cognito.UserAttributeUpdateSettings(
            AttributesRequireVerificationBeforeUpdate=["email"]
        ),
        MfaConfiguration=_MFA[pool.mfa],
    )
    if pool.sign_in == "email":
        resource.UsernameAttributes = ["email"]
    if pool.mfa:
        resource.EnabledMfas = ["SOFTWARE_TOKEN_MFA"]
    keep(resource, pool.removal, stack.settings.mode)
    title = stack.add_main(pool, resource)
    flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    if pool.password_auth:
        flows.append("ALLOW_USER_PASSWORD_AUTH")
    app_client = cognito.UserPoolClient(
        client(pool),
        UserPoolId=ref(title),
        # Web pages and apps on telephones can keep none.
        GenerateSecret=False,
        ExplicitAuthFlows=flows,
        PreventUserExistenceErrors="ENABLED",
        EnableTokenRevocation=True,
    )
    # Who has the pool needs the client that its users' pages know.
    keep(app_client, pool.removal, stack.settings.mode)
    stack.add(str(pool), app_client)


def client(pool: UserPool) -> str:
    """The logical id of a pool's app client."""
    return names.logical(pool, "Client")


def issuer(title: str) -> Any:
    """What a pool's tokens have as ``iss``, from its logical id."""
    return sub(f"https://${{{title}.ProviderName}}")
