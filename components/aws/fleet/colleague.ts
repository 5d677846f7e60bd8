import { Tag } from "../../../core/tags.ts";

/** Where a fleet is. */
export interface FleetPlace {
  /** "oneoff/gpu-fleet": value of tag `oneoff:stack`. */
  readonly stack: string;
  readonly region: string;
  /** Id of the account. */
  readonly account: string;
}

/** By the first one comes to SSH, by the second to pages. None opens a shell by itself, or leads to another host. */
const DOCUMENTS = ["AWS-StartSSHSession", "AWS-StartPortForwardingSession"];

/**
 * What a colleague's IAM identity must be allowed, beside a key among the fleet's users: to begin sessions by two documents on this
 * fleet's instances, and to end sessions of one's own.
 *
 * Without `ssm:SessionDocumentAccessCheck` whoever names no document gets the default one, a shell of the agent's user. The
 * document that forwards ports to other hosts is not among them: through it one gets at the instance's own credentials.
 * (https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-sessiondocumentaccesscheck.html)
 *
 * @returns a policy document.
 */
export const colleaguePolicy = ({ stack, region, account }: FleetPlace): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: ["ssm:StartSession"],
        Resource: `arn:aws:ec2:${region}:${account}:instance/*`,
        Condition: {
          StringEquals: { [`ssm:resourceTag/${Tag.stack}`]: stack },
          BoolIfExists: { "ssm:SessionDocumentAccessCheck": "true" },
        },
      },
      {
        Effect: "Allow",
        Action: ["ssm:StartSession"],
        Resource: DOCUMENTS.map((name) => `arn:aws:ssm:${region}::document/${name}`),
      },
      {
        Effect: "Allow",
        Action: ["ssm:ResumeSession", "ssm:TerminateSession"],
        Resource: `arn:aws:ssm:${region}:${account}:session/*`,
        Condition: { StringLike: { "ssm:resourceTag/aws:ssmmessages:session-id": [`\${aws:userid}`] } },
      },
      {
        Effect: "Allow",
        Action: ["ssmmessages:OpenDataChannel"],
        Resource: `arn:aws:ssm:${region}:${account}:session/*`,
      },
    ],
  });
