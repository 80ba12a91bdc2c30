import { API } from '../../core/api.ts';
import { fail } from '../../core/errors.ts';
import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import { MOST_FILE_MANIFEST_BYTES } from '../../core/wire-storage.ts';
import type { Context } from '../context.ts';
import type { Sql } from '../db.ts';
import type { App } from '../http.ts';
import { serve } from '../router.ts';
import { endFile } from './ending.ts';
import { keepManifest, manifestOf, noSuchFile, requireOwn, storeFile } from './files.ts';
import { leaseRepair, repairs } from './repairs.ts';
import { replacePlace } from './replacing.ts';
import { type FileRow, findFile, lockAgreement, lockFile } from './rows.ts';
import { sealAgreement } from './sealing.ts';
import type { Storage } from './storage.ts';
import { filePageOf, holdingOf, viewOf } from './views.ts';

const BYTES = 'application/octet-stream';

/** What owners of stored files ask, and those who repair them. */
export function addStorageRoutes(app: App, context: Context, storage: Storage): void {
  const { db, domain, options } = context;
  const { rules } = storage;
  const { graceMs } = rules.terms;
  const now = (): UnixMs => options.clock.now();

  /** As whom the account may touch the file: who repairs it is not its owner, and the other way round it makes no difference. */
  const roleOf = (file: FileRow | null, account: Address, fileId: Hex32): 'owner' | 'repairer' => {
    if (file?.consumer === account) return 'owner';
    return file !== null && repairs(file, account, now()) ? 'repairer' : noSuchFile(fileId);
  };
  const viewFor = async (sql: Sql, account: Address, fileId: Hex32) => {
    const file = await findFile(sql, fileId);
    return file === null ? noSuchFile(fileId) : await viewOf(sql, file, roleOf(file, account, fileId), graceMs, now());
  };

  serve(app, context, API.storeFile, async ({ caller: { account }, body }) => {
    const offer = await db.tx((sql) => storeFile(sql, account, body, rules, now()));
    await storage.tell(offer.places.map(({ device, agreementId }) => ({ device, agreementId })));
    return offer;
  });

  serve(app, context, API.files, ({ caller, query: { after } }) =>
    filePageOf(db, caller.account, after, graceMs, now()),
  );

  serve(app, context, API.file, ({ caller, params: { id } }) => viewFor(db, caller.account, id));

  serve(app, context, API.dropFile, async ({ caller, params: { id } }) => {
    const notices = await db.tx(async (sql) => {
      const file = await lockFile(sql, id);
      if (file === null || file.consumer !== caller.account) return noSuchFile(id);
      return await endFile(sql, file, 'dropped', rules, now());
    });
    await storage.tell(notices);
    return await viewFor(db, caller.account, id);
  });

  serve(app, context, API.putFileManifest, async ({ caller, params: { id }, request, reply }) => {
    await requireOwn(db, caller.account, id);
    const manifest = await collect(request.raw, Number(request.headers['content-length'] ?? 0));
    await db.tx((sql) => keepManifest(sql, caller.account, id, manifest));
    return await reply.code(204).send();
  });

  serve(app, context, API.fileManifest, async ({ caller, params: { id }, reply }) =>
    reply.header('content-type', BYTES).send(await manifestOf(db, caller.account, id)),
  );

  serve(app, context, API.replacePlace, async ({ caller, params: { id }, body: { lost } }) => {
    const { place, notices } = await db.tx(async (sql) => {
      const file = await lockFile(sql, id);
      roleOf(file, caller.account, id);
      return file === null ? noSuchFile(id) : await replacePlace(sql, file, lost, rules, now());
    });
    await storage.tell(notices);
    return place;
  });

  serve(app, context, API.sealAgreement, async ({ caller, params: { id }, body }) => {
    const { holding, notices } = await db.tx(async (sql) => {
      const locked = await lockAgreement(sql, id);
      if (locked === null) return fail('NOT_FOUND', 'you have no such agreement', { agreementId: id });
      roleOf(locked.file, caller.account, locked.file.file_id);
      const told = await sealAgreement(sql, locked, body, { domain, rules }, now());
      return { holding: await holdingOf(sql, id, body.shards, graceMs, now()), notices: told };
    });
    await storage.tell(notices);
    return holding;
  });

  serve(app, context, API.leaseRepair, async ({ caller: { account } }) => {
    if (!rules.repairers.includes(account)) fail('UNAUTHORISED', 'this account is not trusted to repair here');
    return await db.tx(async (sql) => {
      const lease = await leaseRepair(sql, account, graceMs, now());
      if (lease === null) return null;
      const file = await viewOf(sql, lease.file, 'repairer', graceMs, now());
      return { file, expiresAt: lease.expiresAt };
    });
  });
}

/** Throws REFUSED for more than a manifest may have, before it is all here. */
async function collect(body: AsyncIterable<Uint8Array>, announced: number): Promise<Uint8Array> {
  const tooMuch = (): never => fail('REFUSED', `a manifest has at most ${MOST_FILE_MANIFEST_BYTES} bytes`);
  if (announced > MOST_FILE_MANIFEST_BYTES) tooMuch();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.byteLength;
    if (bytes > MOST_FILE_MANIFEST_BYTES) tooMuch();
    parts.push(part);
  }
  return bytes === 0 ? fail('BAD_INPUT', 'an empty manifest says nothing') : Buffer.concat(parts);
}
