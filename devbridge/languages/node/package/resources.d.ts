export { CloudError, CredentialsError, DevbridgeError, NotFound } from "./lib/errors.js";

/**
 * The names of what is bound, by kind. devbridge-env.d.ts, which `devbridge types` makes, adds to
 * it; before, any name is taken.
 */
export interface Bound {}

type Attribute<N> = N extends `${infer A}-${infer B}` ? `${A}_${Attribute<B>}` : N;
type Names<Kind> = Kind extends keyof Bound ? Bound[Kind] & string : string;
type Named<Kind, Of> = { readonly [N in Names<Kind> as N | Attribute<N>]: Of };

/** A bound DynamoDB table. */
export interface BoundTable {
  /** The deployed table's name. */
  readonly tableName: string;
}
/** A bound S3 bucket. */
export interface BoundBucket {
  /** The deployed bucket's name. */
  readonly bucketName: string;
}
/** A bound SQS queue. */
export interface BoundQueue {
  /** The deployed queue's URL. */
  readonly queueUrl: string;
}
/** A bound SNS topic. */
export interface BoundTopic {
  /** The deployed topic's ARN. */
  readonly topicArn: string;
}
/** A bound Cognito user pool. */
export interface BoundUserPool {
  /** The deployed pool's id. */
  readonly userPoolId: string;
  /** The id of its app client. */
  readonly clientId: string;
  /** The URL that its tokens name as `iss`. */
  readonly issuer: string;
}
/** A bound Kinesis stream. */
export interface BoundStream {
  /** The deployed stream's name. */
  readonly streamName: string;
}
/** A bound event bus of EventBridge. */
export interface BoundEventBus {
  /** The deployed bus's name. */
  readonly busName: string;
}
/** A bound secret. */
export interface BoundSecret {
  /**
   * The secret's value. `jobHandler` has fetched it; elsewhere, `await fetchSecrets()` first.
   *
   * @throws NotFound: the secret is not bound here, or has not been fetched.
   */
  readonly value: string;
}
/** A bound value that is no secret. */
export interface BoundConfig {
  /** The value. */
  readonly value: string;
}
/** A bound file system. */
export interface BoundFileSystem {
  /** The folder that its files are in. */
  readonly path: string;
}
/** A bound Lambda function. */
export interface BoundFunction {
  /** The deployed function's name. */
  readonly functionName: string;
}
/** A bound HTTP API. */
export interface BoundApi {
  /** The API's URL, without a slash at its end. */
  readonly url: string;
}

export declare const Table: Named<"Table", BoundTable>;
export declare const Bucket: Named<"Bucket", BoundBucket>;
export declare const Queue: Named<"Queue", BoundQueue>;
export declare const Topic: Named<"Topic", BoundTopic>;
export declare const Stream: Named<"Stream", BoundStream>;
export declare const EventBus: Named<"EventBus", BoundEventBus>;
export declare const Secret: Named<"Secret", BoundSecret>;
export declare const Config: Named<"Config", BoundConfig>;
export declare const FileSystem: Named<"FileSystem", BoundFileSystem>;
export declare const Function: Named<"Function", BoundFunction>;
export declare const Api: Named<"Api", BoundApi>;
export declare const UserPool: Named<"UserPool", BoundUserPool>;

/**
 * Fetch all secrets that are bound here. What was fetched is kept until the process ends.
 *
 * @throws NotFound: some are not set.
 * @throws CloudError: SSM did not answer, or refused.
 */
export declare function fetchSecrets(): Promise<void>;
