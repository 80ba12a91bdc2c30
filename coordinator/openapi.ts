import { z } from 'zod';
import { API } from '../core/api.ts';
import type { Auth, Endpoint } from '../core/endpoint.ts';
import { ERROR_CODES } from '../core/errors.ts';
import { problemDetails } from '../core/wire.ts';

/** The OpenAPI 3.1 document, made of the table that the router is made of. Messages are described as they travel. */

type Json = Readonly<Record<string, unknown>>;

function schemaOf(schema: z.ZodType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

const json = (schema: Json) => ({ content: { 'application/json': { schema } } });

const SAYS: Readonly<Record<Auth, string>> = {
  none: '',
  optional: 'Signed by the consumer, or with a bearer that may `submit`.',
  bearer: 'With an access token of a consumer or a device, or with an API key.',
  read: 'With an access token, or an API key with the right `read`.',
  submit: 'With an access token, or an API key with the right `submit`.',
  account: 'With an access token; not with an API key.',
};

function parametersOf(place: 'path' | 'query', schema: z.ZodObject | undefined): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema) as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: of,
  }));
}

const BYTES = { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } };

const textOf = (type: string) => ({ content: { [type]: { schema: { type: 'string' } } } });

function answerOf({ answer, status, summary }: Endpoint): Json {
  const description = summary;
  if (answer === 'none' || status === 101) return { description };
  if (answer === 'bytes') return { description, ...BYTES };
  if (answer === 'csv' || answer === 'page')
    return { description, ...textOf(answer === 'csv' ? 'text/csv' : 'text/html') };
  return { description, ...json(answer === 'document' ? { type: 'object' } : schemaOf(answer)) };
}

/** Those that need no caller. */
const OPEN: ReadonlySet<Auth> = new Set(['none', 'optional']);

function operationOf(name: string, endpoint: Endpoint): Json {
  const { auth, summary, body, upload, params, query, status } = endpoint;
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)];
  const requestBody = upload ? BYTES : body === undefined ? null : json(schemaOf(body));
  const security = [...(OPEN.has(auth) ? [{}] : []), ...(auth === 'none' ? [] : [{ bearer: [] }])];
  return {
    operationId: name,
    summary,
    ...(SAYS[auth] === '' ? {} : { description: SAYS[auth] }),
    security,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === null ? {} : { requestBody: { required: true, ...requestBody } }),
    responses: {
      [status]: answerOf(endpoint),
      ...(name === 'catalogue' ? { 304: { description: 'It is the one that is known' } } : {}),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

const PROBLEM = {
  description: `A problem document (RFC 9457). Its code is one of ${ERROR_CODES.join(', ')}; its type leads to what to do.`,
  headers: {
    'Retry-After': {
      description: 'With 429 and 503: seconds until it is worth trying again',
      schema: { type: 'integer' },
    },
    RateLimit: { description: 'How many requests are left, and seconds until the next', schema: { type: 'string' } },
  },
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

function documentOf(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, endpoint] of Object.entries(API)) {
    const path = endpoint.path.replaceAll(/:([a-zA-Z0-9]+)/g, '{$1}');
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operationOf(name, endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Idlemesh coordinator',
      version,
      summary: 'Orders work, follows it, fetches what came of it, and shows the books.',
      description: 'Amounts are base units (10^-18 token) as decimal strings; times are Unix milliseconds.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An access token for a signed request (POST /v1/access), or an API key (POST /v1/keys)',
        },
      },
      responses: { Problem: PROBLEM },
      schemas: { Problem: schemaOf(problemDetails) },
    },
  };
}

const texts = new Map<string, string>();

/** Made once for each version: it takes milliseconds, and anybody may ask. */
export function openApiText(version: string, url: string): string {
  const text = texts.get(version) ?? JSON.stringify(documentOf(version));
  texts.set(version, text);
  return `{"servers":${JSON.stringify([{ url }])},${text.slice(1)}`;
}
