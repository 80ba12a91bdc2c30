import { z } from 'zod';
import { jobParam } from './api-messages.ts';
import { row } from './endpoint.ts';
import * as storage from './wire-storage.ts';

const file = { params: jobParam };

/** What owners of stored files and those who repair them ask the coordinator. */
export const STORAGE_API = {
  storeFile: row(
    ['POST', '/v1/files', 201],
    'account',
    'Places for a file that you store, on devices of different owners and networks; its whole term is held of your deposit',
    storage.fileOffer,
    { body: storage.fileOrder },
  ),
  files: row(['GET', '/v1/files', 200], 'account', 'Your stored files, in pages', storage.filePage, {
    query: storage.filesQuery,
  }),
  file: row(
    ['GET', '/v1/files/:id', 200],
    'account',
    'A stored file and where it lies, for its owner and for who repairs it',
    storage.storedFile,
    file,
  ),
  dropFile: row(
    ['DELETE', '/v1/files/:id', 200],
    'account',
    'Ends every agreement of a file: what was kept is paid, the rest of the hold comes back',
    storage.storedFile,
    file,
  ),
  putFileManifest: row(['PUT', '/v1/files/:id/manifest', 204], 'account', 'Keeps what only you can read', 'none', {
    ...file,
    upload: true as const,
  }),
  fileManifest: row(['GET', '/v1/files/:id/manifest', 200], 'account', 'What you kept of a file', 'bytes', file),
  replacePlace: row(
    ['POST', '/v1/files/:id/replace', 201],
    'account',
    'Another place for one that is lost, for the owner of the file and for who repairs it',
    storage.place,
    { ...file, body: storage.replacement },
  ),
  sealAgreement: row(
    ['POST', '/v1/agreements/:id/seal', 200],
    'account',
    'Says what lies there, with the signature of its device: from now on it is audited and paid',
    storage.holding,
    { ...file, body: storage.sealing, mostBytes: storage.MOST_SEALING_BYTES },
  ),
  leaseRepair: row(
    ['POST', '/v1/repairs', 200],
    'account',
    'A file that lacks places, for an account that is trusted to repair; null: none does',
    storage.repairLease,
    { body: z.strictObject({}) },
  ),
};
