import { API } from '../core/api.ts';
import { fail } from '../core/errors.ts';
import { may } from './callers.ts';
import type { Context } from './context.ts';
import type { App } from './http.ts';
import { mayRead } from './orders.ts';
import { serve } from './router.ts';
import { Uploads } from './uploads.ts';

const BYTES = 'application/octet-stream';

/** Content-addressed files. A token is needed for all; reading is for who ordered the job or works on it. */
export function addBlobRoutes(app: App, context: Context): void {
  const { blobs, db } = context;
  const uploads = new Uploads(context);

  serve(app, context, API.knowsBlob, async ({ params: { sha256 }, reply }) => {
    const size = await blobs.size(sha256);
    if (size === null) return await reply.code(404).send();
    await blobs.renew(sha256);
    return await reply.code(200).header('content-length', size).header('content-type', BYTES).send();
  });

  serve(app, context, API.blob, async ({ params: { sha256 }, caller, reply }) => {
    if (!may(caller, 'read')) fail('UNAUTHORISED', 'the API key lacks the right to read');
    const size = (await mayRead(db, caller, sha256)) ? await blobs.size(sha256) : null;
    if (size === null) fail('NOT_FOUND', 'there is no such blob, it is no longer kept, or you may not read it');
    return await reply.header('content-length', size).header('content-type', BYTES).send(blobs.read(sha256));
  });

  serve(app, context, API.putBlob, async ({ params: { sha256 }, caller, request, reply }) => {
    if (!may(caller, 'submit')) fail('UNAUTHORISED', 'the API key lacks the right to submit');
    // Sizes are judged before the content is read: a sender that is cut off in the middle never sees why.
    const announced = request.headers['content-length'];
    if ((await blobs.size(sha256)) !== null) await blobs.renew(sha256);
    else await uploads.store(caller, sha256, announced === undefined ? null : Number(announced), request.raw);
    return await reply.code(204).send();
  });
}
