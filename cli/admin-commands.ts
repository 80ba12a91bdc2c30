import type { Command } from 'commander';
import { Wallet } from 'ethers';
import type { AdminAction, AdminAnswer } from '../core/admin.ts';
import { API } from '../core/api.ts';
import type { Address, Signature } from '../core/primitives.ts';
import { domainOf, fieldsOf } from '../core/typed-data.ts';
import { Client } from './client.ts';
import { connecting, type Voice } from './consumer-commands.ts';
import { readKeyFile } from './keyfile.ts';

type At = { readonly coordinator: string; readonly key: string };

/** Signs an order with the admin's key and sends it; the same order sent again is carried out once. */
async function orderAdmin(
  { coordinator, key }: At,
  action: AdminAction,
  subject: string,
  why: string,
): Promise<AdminAnswer> {
  const client = new Client(coordinator, null);
  const { networkId, chainId, distributor, now } = await client.call(API.network);
  const wallet = new Wallet(await readKeyFile(key, false));
  const admin = wallet.address.toLowerCase() as Address;
  // By the network's clock: a wrong one here would be taken for an old order.
  const value = { admin, networkId, action, subject, why, issuedAt: now };
  const signed = await wallet.signTypedData(domainOf(chainId, distributor), fieldsOf('AdminAction'), value);
  return await client.call(API.admin, { body: { value, signature: signed as Signature } });
}

/** admin disable | enable | ban | unban | refund | books | log */
export function addAdminCommands(program: Command, { answer, print }: Pick<Voice, 'answer' | 'print'>): void {
  const admin = program
    .command('admin')
    .description('what only those may order whom the coordinator names as admins; each order is signed and kept');
  const add = (name: string, says: string): Command =>
    connecting(admin.command(name).description(says)).requiredOption(
      '--why <text>',
      'the reason; everybody can read it on the status page',
    );

  add('disable <workload> <version>', 'stop handing out a version of a workload, and taking orders for it')
    .option('--now', 'also take back what devices are doing of it', false)
    .action(async (workload: string, version: string, options) => {
      const action = options.now ? 'disable-now' : 'disable';
      answer(await orderAdmin(options, action, `${workload}@${version}`, options.why));
    });
  add('enable <workload> <version>', 'hand it out again').action(async (workload: string, version: string, options) => {
    answer(await orderAdmin(options, 'enable', `${workload}@${version}`, options.why));
  });
  add('ban <address>', 'end the sessions of a device, or of all devices of an owner, and let none come back').action(
    async (address: string, options) => answer(await orderAdmin(options, 'ban', address.toLowerCase(), options.why)),
  );
  add('unban <address>', 'let them come back').action(async (address: string, options) =>
    answer(await orderAdmin(options, 'unban', address.toLowerCase(), options.why)),
  );
  add('refund <job>', "give a job's price back to its consumer; again changes nothing").action(
    async (job: string, options) => answer(await orderAdmin(options, 'refund', job, options.why)),
  );
  connecting(admin.command('books').description('count all of the books now, by both calculators')).action(
    async (options) => {
      const counted = await orderAdmin(options, 'recount', '', 'asked by an admin');
      answer(counted);
      if (counted.result['balanced'] !== 'yes') process.exitCode = 1;
    },
  );
  connecting(admin.command('log').description('what was ordered, newest first')).action(async (options) => {
    const { actions } = await new Client(options.coordinator, null).call(API.adminActions);
    for (const { at, action, subject, why, admin: who } of actions) {
      print([new Date(at).toISOString(), action, subject ?? '–', why, who].join(' · '));
    }
  });
}
