// Authorizers that answer what the request asks for.

export const simple = async (event: any) => {
  const who = event.headers["x-who"];
  if (who === "nobody") throw new RangeError(who);
  const answers: Record<string, unknown> = {
    jane: { isAuthorized: true, context: { name: "jane", age: 7 } },
    joe: { isAuthorized: false },
    text: { isAuthorized: "true" },
    nothing: null,
  };
  return answers[who];
};

export const policy = async (event: any) => {
  const who = event.headers["x-who"];
  const effect = { jane: "Allow", joe: "Deny" }[who as string];
  if (!effect) return { principalId: who };
  const statement = { Action: "execute-api:Invoke", Effect: effect, Resource: event.routeArn };
  const policyDocument = { Version: "2012-10-17", Statement: [statement] };
  return { principalId: who, policyDocument, context: { name: who } };
};
