import type { Context } from './context.ts';
import { Group } from './group.ts';
import type { CoordinatorOptions } from './options.ts';
import type { SentReport } from './report-chain.ts';
import { acceptReports, type ReportAnswer } from './reports.ts';

/** Reports, and items of theirs, that are stored in one transaction, and how many such transactions go on at once. */
const REPORTS = 100;
const ITEMS = 5_000;
const LANES = 2;

type Books = Pick<Context, 'db' | 'signer'> & { readonly options: Pick<CoordinatorOptions, 'clock' | 'maturityMs'> };

/** Takes devices' reports, whose signatures were checked, many in one transaction. */
export class Reports {
  readonly #context: Books;
  readonly #group: Group<SentReport, ReportAnswer>;

  constructor(context: Books) {
    this.#context = context;
    this.#group = new Group((reports) => this.#store(reports), { most: REPORTS, lanes: LANES });
  }

  receive(report: SentReport): Promise<ReportAnswer> {
    return this.#group.add(report);
  }

  async #store(reports: readonly SentReport[]): Promise<readonly ReportAnswer[]> {
    const { db, signer, options } = this.#context;
    const answers: ReportAnswer[] = [];
    // Should a later one fail, all are sent once more, and those that are stored have their receipts.
    for (const part of parts(reports)) {
      answers.push(...(await db.tx((sql) => acceptReports(sql, signer, options.clock, part, options.maturityMs))));
    }
    return answers;
  }
}

/** As many in each as have no more items together than one transaction should; one that alone has more goes alone. */
function parts(reports: readonly SentReport[]): readonly (readonly SentReport[])[] {
  const all: SentReport[][] = [];
  let items = Number.POSITIVE_INFINITY;
  for (const report of reports) {
    items += report.items.length;
    if (items > ITEMS) {
      all.push([]);
      items = report.items.length;
    }
    all.at(-1)?.push(report);
  }
  return all;
}
