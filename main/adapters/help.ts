import { shell } from 'electron';
import { fail, type Outcome, succeeded } from '../../core/errors.ts';
import type { Commands } from '../../core/ipc.ts';

type Topic = Parameters<Commands['openHelp']>[0];

/** All addresses the app ever hands to the system. */
const HELP: Readonly<Record<Topic, string>> = {
  docker: 'https://docs.docker.com/get-started/get-docker/',
  wallet: 'https://idlemesh.org/help/wallet',
  practice: 'https://idlemesh.org/help/practice',
};

export async function openHelp(topic: Topic): Promise<Outcome<null>> {
  const address = new URL(HELP[topic]);
  if (address.protocol !== 'https:') return fail('REFUSED', 'only https addresses are opened');
  await shell.openExternal(address.href);
  return succeeded(null);
}
