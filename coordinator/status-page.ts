import type { AdminAction, ShownAction } from '../core/admin.ts';
import { type Amount, formatTokens } from '../core/money.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import type { DayResults, EpochSummary, NetworkStatus } from '../core/status.ts';
import type { CoordinatorOptions } from './options.ts';
import { STYLE, STYLE_DIGEST } from './status-style.ts';
import type { AccountKind } from './totals.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const text = (value: string): string => value.replaceAll(/[&<>"']/g, (found) => ESCAPES[found] ?? '');

const count = (value: number): string => new Intl.NumberFormat('en-GB').format(value);
const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
const MINUTE = new Intl.DateTimeFormat('en-GB', {
  ...{ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZone: 'UTC' },
});
const time = (at: UnixMs, format: Intl.DateTimeFormat): string =>
  `<time datetime="${new Date(at).toISOString()}">${format.format(at)}${format === MINUTE ? ' UTC' : ''}</time>`;

/** Truncated, with the thousands apart. */
const tokens = (amount: Amount, symbol: string): string => {
  const [whole = '', part = ''] = formatTokens(amount, 4, 2).split('.');
  return `${whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')}.${part} ${text(symbol)}`;
};

type About = {
  readonly options: Pick<CoordinatorOptions, 'tokenSymbol'> & {
    readonly chain: Pick<CoordinatorOptions['chain'], 'chainId' | 'distributor' | 'token'>;
  };
  readonly networkId: Hex32;
  readonly signer: { readonly address: Address };
};

/** What the page may load, which is nothing, and the one style it may have. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The page of a network: one document without scripts, that says what its API says. */
export function statusPage(status: NetworkStatus, about: About): string {
  const { name } = status;
  const symbol = about.options.tokenSymbol;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text(name)} · status of the network</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="name">${text(name)}</p>
${state(status)}
</header>
<main>
${statement(status)}
${facts(status)}
${daysSection(status.days, status.at)}
${epochsSection(status.epochs, symbol)}
${sumsSection(status, symbol)}
${disabledSection(status)}
${actionsSection(status.actions)}
</main>
${footer(status, about)}
</body>
</html>
`;
}

const state = ({ notReady }: NetworkStatus): string =>
  notReady === null
    ? '<p class="state">Open for work</p>'
    : `<p class="state away">Not taking work here: ${text(notReady)}</p>`;

function statement({ books: { recountedAt, balancedSince, owners } }: NetworkStatus): string {
  if (recountedAt === null) {
    return `<div class="statement"><h1>The books are new.</h1>
<p>Nothing was credited yet, so there was nothing to count. Before the first root is signed, two programs will each count all of it.</p></div>`;
  }
  if (balancedSince === null) {
    return `<div class="statement"><h1 class="bad">The books do not balance.</h1>
<p>At the last count, ${time(recountedAt, MINUTE)}, two programs did not agree. No root is signed until they do; nothing that is on chain is touched by it.</p></div>`;
  }
  const whose = owners === 1 ? 'one owner' : `${count(owners)} owners`;
  return `<div class="statement"><h1>The books balance, to the unit.</h1>
<p>Two programs count them apart, one over the ledger and one over the signed receipts. Each count since ${time(balancedSince, DATE)} has agreed;
the last one, over ${whose}, was on ${time(recountedAt, MINUTE)}.</p></div>`;
}

function facts({ devices, coordinators, openJobs, heldLeases, countedTo, days, at }: NetworkStatus): string {
  const most = (value: number): string => `${count(value)}${value >= countedTo ? '+' : ''}`;
  const today = days.find(({ day }) => day === new Date(at).toISOString().slice(0, 10))?.accepted ?? 0;
  const rows: readonly (readonly [string, string])[] = [
    ['Devices online', count(devices)],
    ['Results accepted today', count(today)],
    ['Jobs open', `${most(openJobs)}`],
    [coordinators === 1 ? 'Being worked on' : `Being worked on, by ${coordinators} coordinators`, most(heldLeases)],
  ];
  return `<dl class="facts">${rows.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

const DAY_MS = 86_400_000;
const DAYS = 30;
/** Of the chart, in its own units. */
const HEIGHT = 100;

function daysSection(days: readonly DayResults[], now: UnixMs): string {
  const byDay = new Map(days.map((one) => [one.day, one]));
  const all = Array.from({ length: DAYS }, (_, at): DayResults => {
    const day = new Date(now - (DAYS - 1 - at) * DAY_MS).toISOString().slice(0, 10);
    return byDay.get(day) ?? { day, accepted: 0, rejected: 0 };
  });
  const most = Math.max(...all.map(({ accepted, rejected }) => accepted + rejected));
  const [first, last] = [all[0], all.at(-1)];
  if (most === 0 || first === undefined || last === undefined) {
    return section('Results by day', 'What devices computed and was checked.', none('No results in the last 30 days.'));
  }
  const tall = (value: number): number => Math.max(value === 0 ? 0 : 0.8, (value / most) * HEIGHT);
  const bars = all.map(({ day, accepted, rejected }, at) => {
    const [yes, no] = [tall(accepted), tall(rejected)];
    const says = `${day}: ${count(accepted)} accepted, ${count(rejected)} rejected`;
    const one = (kind: string, height: number, from: number): string =>
      height === 0
        ? ''
        : `<rect class="${kind}" x="${at + 0.12}" width="0.76" y="${round(from - height)}" height="${round(height)}"/>`;
    return `<g><title>${says}</title>${one('bar', yes, HEIGHT)}${one('bar no', no, HEIGHT - yes)}</g>`;
  });
  const sum = all.reduce((total, { accepted }) => total + accepted, 0);
  const label = `${count(sum)} results accepted in the last 30 days, at most ${count(most)} in a day`;
  return section(
    'Results by day',
    `${label}.`,
    `<div class="chart"><svg viewBox="0 0 ${DAYS} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}">${bars.join('')}</svg></div>
<div class="axis"><span>${first.day}</span><span>${last.day}</span></div>`,
  );
}
const round = (value: number): number => Math.round(value * 100) / 100;

function epochsSection(epochs: readonly EpochSummary[], symbol: string): string {
  const lead =
    'Each epoch says what every owner was ever owed, as the root of a tree that the chain keeps. With its data set anyone can build the root again, and with a leaf and its proof anyone can claim.';
  if (epochs.length === 0) return section('Epochs', lead, none('No epoch was closed yet.'));
  const rows = epochs.map(({ epoch, root, total, owners, closedAt, txHash }) => [
    `<strong class="number">${epoch}</strong>`,
    `<span class="number">${time(closedAt, MINUTE)}</span>`,
    `<span class="number">${tokens(total, symbol)}</span>`,
    `<span class="number">${count(owners)}</span>`,
    `<span class="hash">${root}</span>`,
    `<span class="hash">${txHash ?? 'not on chain yet'}</span>`,
    txHash === null
      ? '<span>after it is on chain</span>'
      : `<span class="sets"><a href="/v1/epochs/${epoch}/leaves.csv">CSV</a><a href="/v1/epochs/${epoch}/leaves">leaves</a><a href="/v1/epochs/${epoch}">all</a></span>`,
  ]);
  return section(
    'Epochs',
    lead,
    table(['Epoch', 'Closed', 'Owed in all', 'Owners', 'Root', 'Transaction', 'Data set'], rows),
  );
}

const SUMS: Readonly<Record<AccountKind, string>> = {
  deposit: 'Consumers’ deposits',
  hold: 'Held for jobs',
  checks: 'Put aside for checks',
  pending: 'Credited, can be clawed back',
  matured: 'Due with the next root',
  published: 'On chain, not claimed',
  claimed: 'Claimed',
  fees: 'The network’s fees',
  dust: 'Dust, carried over',
  external: 'Brought in from outside',
};

function sumsSection({ books: { totals } }: NetworkStatus, symbol: string): string {
  const lead = 'Where every token is that was ever deposited. All but the last add up to the last.';
  const rows = Object.entries(SUMS).flatMap(([kind, name]) => {
    const sum = totals[kind];
    if (sum === undefined) return [];
    const shown = kind === 'external' ? -BigInt(sum) : BigInt(sum);
    return `<div><dt>${name}</dt><dd>${tokens(shown, symbol)}</dd></div>`;
  });
  return section(
    'The money',
    lead,
    rows.length === 0 ? none('It is being summed.') : `<dl class="sums">${rows.join('')}</dl>`,
  );
}

function disabledSection({ disabled }: NetworkStatus): string {
  const lead = 'Versions of workloads that no device is given at the moment.';
  if (disabled.length === 0) return section('Disabled', lead, none('None.'));
  const rows = disabled.map(({ workload, version, why, at }) => [
    `<span class="off">${text(workload)} ${text(version)}</span>`,
    `<span class="number">${time(at, MINUTE)}</span>`,
    `<span class="why">${text(why)}</span>`,
  ]);
  return section('Disabled', lead, table(['Workload', 'Since', 'Why'], rows));
}

const DID: Readonly<Record<AdminAction, string>> = {
  disable: 'Disabled',
  'disable-now': 'Disabled, and took back',
  enable: 'Enabled',
  ban: 'Banned somebody',
  unban: 'Let somebody come back',
  refund: 'Refunded a job',
  recount: 'Had the books counted',
};

function actionsSection(actions: readonly ShownAction[]): string {
  const lead =
    'What those who run the network ordered. Each order is signed and kept for ever; whose job or device it was is theirs to know.';
  if (actions.length === 0) return section('Orders', lead, none('None yet.'));
  const rows = actions.map(({ at, action, subject, why, admin }) => [
    `<span class="number">${time(at, MINUTE)}</span>`,
    `<span>${DID[action]}${subject === null ? '' : ` <strong>${text(subject)}</strong>`}</span>`,
    `<span class="why">${text(why)}</span>`,
    `<span class="hash">${admin}</span>`,
  ]);
  return section('Orders', lead, table(['When', 'What', 'Why', 'By'], rows));
}

const section = (title: string, lead: string, body: string): string =>
  `<section><h2>${title}</h2><p class="lead">${lead}</p>${body}</section>`;
const none = (says: string): string => `<p class="none">${says}</p>`;

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((one) => `<th scope="col">${one}</th>`).join('');
  const body = rows.map(
    (row) => `<tr>${row.map((cell, at) => `<td data-of="${heads[at]}">${cell}</td>`).join('')}</tr>`,
  );
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

function footer({ at }: NetworkStatus, { options: { chain }, networkId, signer }: About): string {
  const rows: readonly (readonly [string, string])[] = [
    ['Network', networkId],
    ['Chain', String(chain.chainId)],
    ['Distributor', chain.distributor],
    ['Token', chain.token],
    ['Receipts are signed by', signer.address],
  ];
  const list = rows.map(([name, value]) => `<dt>${name}</dt><dd class="hash">${value}</dd>`).join('');
  const links: readonly (readonly [string, string])[] = [
    ['/v1/status', 'This page as JSON'],
    ['/v1/epochs', 'All epochs'],
    ['/v1/admin/actions', 'All orders'],
    ['/v1/workloads', 'What can be ordered'],
    ['/v1/openapi.json', 'The interface'],
  ];
  const nav = links.map(([to, says]) => `<a href="${to}">${says}</a>`).join('');
  return `<footer><dl>${list}</dl><nav aria-label="Data">${nav}</nav><p>As of ${time(at, MINUTE)}</p></footer>`;
}
