import { errorInfo, googleError } from "./google-error.ts";
import { type JsonObject, typeUrl } from "./json.ts";
import type { Reply } from "./reply.ts";

/** What a refusal is about; its details name these. */
export interface RefusalFacts {
  /** RPC that was called, e.g. `google.longrunning.Operations.GetOperation`. */
  readonly rpc: string;
  /** e.g. `healthcare.operations.get`, which is checked on the dataset. */
  readonly permission: string;
  /** `projects/P/locations/L/datasets/D`. */
  readonly dataset: string;
  /** Seconds for `Retry-After` of a refusal for quota; `null` sends none. */
  readonly retryAfter: number | null;
}

/** Reasons (google.api.ErrorReason) for which the infrastructure before the API refuses a call. */
export const REFUSAL_REASONS = [
  "CREDENTIALS_MISSING",
  "ACCESS_TOKEN_EXPIRED",
  "ACCESS_TOKEN_TYPE_UNSUPPORTED",
  "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
  "IAM_PERMISSION_DENIED",
  "SERVICE_DISABLED",
  "BILLING_DISABLED",
  "CONSUMER_INVALID",
  "USER_PROJECT_DENIED",
  "SECURITY_POLICY_VIOLATED",
  "RATE_LIMIT_EXCEEDED",
  "RESOURCE_QUOTA_EXCEEDED",
] as const;

/** One of {@link REFUSAL_REASONS}. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

const SERVICE = "healthcare.googleapis.com";
const REALM = 'Bearer realm="https://accounts.google.com/"';
const EXPECTED =
  "Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";

/** Scopes of which one is enough. */
export const SCOPES: readonly string[] = [
  "https://www.googleapis.com/auth/cloud-healthcare",
  "https://www.googleapis.com/auth/cloud-platform",
];

/** The answer of the infrastructure for `reason`: status, message, ErrorInfo and headers as Google sends them. */
export function refusal(reason: RefusalReason, facts: RefusalFacts): Reply {
  const project = facts.dataset.split("/")[1] ?? "";
  const consumer = `projects/${project}`;
  const call = { service: SERVICE, method: facts.rpc };
  switch (reason) {
    case "CREDENTIALS_MISSING":
      return unauthenticated(
        reason,
        `Request is missing required authentication credential. ${EXPECTED}`,
        call,
        REALM,
      );
    case "ACCESS_TOKEN_EXPIRED":
    case "ACCESS_TOKEN_TYPE_UNSUPPORTED":
      return unauthenticated(
        reason,
        `Request had invalid authentication credentials. ${EXPECTED}`,
        call,
        `${REALM}, error="invalid_token"`,
      );
    case "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
      return denied("Request had insufficient authentication scopes.", [errorInfo(reason, call)], {
        "www-authenticate": `${REALM}, error="insufficient_scope", scope="${SCOPES.join(" ")}"`,
      });
    case "IAM_PERMISSION_DENIED":
      return denied(
        `Permission '${facts.permission}' denied on resource '//${SERVICE}/${facts.dataset}' (or it may not exist).`,
        [errorInfo(reason, { permission: facts.permission, resource: facts.dataset }, "iam.googleapis.com")],
      );
    case "SERVICE_DISABLED":
      return serviceDisabled(project, consumer);
    case "BILLING_DISABLED":
      return denied(
        `This API method requires billing to be enabled. Please enable billing on project ${project}.`,
        [errorInfo(reason, { service: SERVICE, consumer })],
      );
    case "CONSUMER_INVALID":
      return denied(`Permission denied on resource project ${project}.`, [
        errorInfo(reason, { service: SERVICE, consumer }),
      ]);
    case "USER_PROJECT_DENIED":
      return denied(
        `Caller does not have required permission to use project ${project}. Grant the caller the roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission.`,
        [errorInfo(reason, { service: SERVICE, consumer })],
      );
    case "SECURITY_POLICY_VIOLATED":
      return denied(
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: Zx81-demo",
        [errorInfo(reason, { service: SERVICE, uid: "Zx81-demo" })],
      );
    case "RATE_LIMIT_EXCEEDED":
    case "RESOURCE_QUOTA_EXCEEDED":
      return quotaExceeded(reason, consumer, facts);
  }
}

function unauthenticated(reason: string, message: string, metadata: JsonObject, challenge: string): Reply {
  return googleError(401, "UNAUTHENTICATED", message, [errorInfo(reason, metadata)], {
    "www-authenticate": challenge,
  });
}

function denied(
  message: string,
  details: readonly JsonObject[],
  headers: Record<string, string> = {},
): Reply {
  return googleError(403, "PERMISSION_DENIED", message, details, headers);
}

function serviceDisabled(project: string, consumer: string): Reply {
  const url = `https://console.developers.google.com/apis/api/${SERVICE}/overview?project=${project}`;
  const message = `Cloud Healthcare API has not been used in project ${project} before or it is disabled. Enable it by visiting ${url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.`;
  return denied(message, [
    errorInfo("SERVICE_DISABLED", { service: SERVICE, consumer, containerInfo: project, activationUrl: url }),
    { "@type": typeUrl("google.rpc.LocalizedMessage"), locale: "en-US", message },
    {
      "@type": typeUrl("google.rpc.Help"),
      links: [{ description: "Google developers console API activation", url }],
    },
  ]);
}

function quotaExceeded(reason: RefusalReason, consumer: string, facts: RefusalFacts): Reply {
  const location = facts.dataset.split("/")[3] ?? "";
  const metric = `${SERVICE}/operation_requests`;
  return googleError(
    429,
    "RESOURCE_EXHAUSTED",
    `Quota exceeded for quota metric 'Operation requests' and limit 'Operation requests per minute per region' of service '${SERVICE}' for consumer '${consumer}'.`,
    [
      errorInfo(reason, {
        service: SERVICE,
        consumer,
        quota_metric: metric,
        quota_limit: "OperationRequestsPerMinutePerProjectPerRegion",
        quota_location: location,
      }),
      {
        "@type": typeUrl("google.rpc.Help"),
        links: [
          {
            description: "Request a higher quota limit.",
            url: "https://cloud.google.com/docs/quotas/help/request_increase",
          },
        ],
      },
    ],
    facts.retryAfter === null ? {} : { "retry-after": String(facts.retryAfter) },
  );
}
