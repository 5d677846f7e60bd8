import { expect, test } from "vitest";
import { colleaguePolicy } from "../../../components/aws/fleet/colleague.ts";

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const policy = colleaguePolicy({ stack: "oneoff/team", region: "eu-west-1", account: "123456789012" });
const statements = JSON.parse(policy).Statement as readonly Statement[];
const of = (action: string) => statements.filter(({ Action }) => Action.includes(action));

test("a session begins on this fleet's instances alone, and by a document that was named and looked at", () => {
  const [instances, documents, ...more] = of("ssm:StartSession");
  expect(more).toEqual([]);
  expect(instances?.Resource).toBe("arn:aws:ec2:eu-west-1:123456789012:instance/*");
  expect(instances?.Condition).toEqual({
    StringEquals: { "ssm:resourceTag/oneoff:stack": "oneoff/team" },
    BoolIfExists: { "ssm:SessionDocumentAccessCheck": "true" },
  });
  expect(documents?.Resource).toEqual([
    "arn:aws:ssm:eu-west-1::document/AWS-StartSSHSession",
    "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSession",
  ]);
  expect(policy).not.toMatch(/SSM-SessionManagerRunShell|ToRemoteHost|SendCommand/);
});

test("sessions of one's own are ended, and no one else's", () => {
  expect(of("ssm:TerminateSession")).toEqual([
    {
      Effect: "Allow",
      Action: ["ssm:ResumeSession", "ssm:TerminateSession"],
      Resource: "arn:aws:ssm:eu-west-1:123456789012:session/*",
      Condition: { StringLike: { "ssm:resourceTag/aws:ssmmessages:session-id": [`\${aws:userid}`] } },
    },
  ]);
});

test("no action and no resource is everything", () => {
  for (const { Action, Resource } of statements) {
    expect(Action.join()).not.toContain("*");
    expect([Resource].flat()).not.toContain("*");
  }
});
