"""The template of a whole app: each of its constructs, and what is of no construct."""

from __future__ import annotations

from devbridge import names
from devbridge.constructs import App
from devbridge.deploy import kinds
from devbridge.deploy.attributes import resolved
from devbridge.deploy.synth.log_forwarding import add_log_forwarding
from devbridge.deploy.synth.stack import Assets, Settings, Stack, Template


def synth(app: App, settings: Settings, assets: Assets) -> Template:
    """The template of a stage.

    Raises:
        InvalidValue: a name is too long, an environment is over 4 KB, or a resource that was added
            to the app has the title of one of devbridge's.
        AppFailed: a `transform` raised, or left a resource that is not valid.
    """
    stack = Stack(app, settings, assets, kinds.bindings())
    made = [
        (kind, [each for each in app.of_type(kind.construct) if not each.known])
        for kind in kinds.KINDS
    ]
    for kind, own in made:
        if own:
            kind.add_shared(stack, own)
        for construct in own:
            kind.add(stack, construct)
            title = names.logical(construct)
            for output in kind.outputs:
                stack.output(construct, output.name, output.value(title))
    add_log_forwarding(stack)
    for kind, own in made:
        kind.add_last(stack, own)
    stack.bind_role()
    for resource in app.resources:
        stack.add_foreign(resource, app.added_at.get(resource.title, app.where))
    for name, value in app.outputs.items():
        stack.say(name, resolved(value, settings.stage), app.exports.get(name))
    return stack.template()
