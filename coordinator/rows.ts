import { type Address, type Hex32, LANES, type Lane } from '../core/primitives.ts';

/**
 * Rows of the statements that are on the way of every task. The database is an edge, so each column is checked; but what lies there was
 * checked by a schema when it came in, and to run one over every row again would cost more than the row.
 */
export type Column<T> = (value: unknown) => T;
/** What a zod schema is, too. */
export type Row<T> = { readonly parse: (value: unknown) => T };
type Columns = Readonly<Record<string, Column<unknown>>>;
export type RowOf<C extends Columns> = { readonly [Name in keyof C]: ReturnType<C[Name]> };

/** Throws a TypeError that names the column. */
export function rowOf<const C extends Columns>(columns: C): Row<RowOf<C>> {
  const all = Object.entries(columns);
  return {
    parse(value) {
      const cells = value as Readonly<Record<string, unknown>>;
      const row: Record<string, unknown> = {};
      for (const [name, column] of all) {
        try {
          row[name] = column(cells[name]);
        } catch (error) {
          throw new TypeError(`the database's ${name} is none: ${error instanceof Error ? error.message : error}`);
        }
      }
      return row as RowOf<C>;
    },
  };
}

const wrong = (what: string): never => {
  throw new TypeError(`expected ${what}`);
};

export const textCell: Column<string> = (value) => (typeof value === 'string' ? value : wrong('a text'));
export const booleanCell: Column<boolean> = (value) => (typeof value === 'boolean' ? value : wrong('a boolean'));
export const numberCell: Column<number> = (value) => (typeof value === 'number' ? value : wrong('a number'));

/** BIGINT arrives as number, bigint or text by driver and size. */
export function integerCell(value: unknown): number {
  const number =
    typeof value === 'number' ? value : Number(typeof value === 'boolean' ? Number.NaN : (value ?? Number.NaN));
  return Number.isSafeInteger(number) ? number : wrong('an integer');
}

export const bitCell: Column<0 | 1> = (value) => (value === 0 || value === 1 ? value : wrong('0 or 1'));

/** NUMERIC arrives as text. */
export const amountCell: Column<bigint> = (value) => BigInt(textCell(value));

const hexCell =
  <T extends string>(length: number): Column<T> =>
  (value) =>
    typeof value === 'string' && value.length === length && value.startsWith('0x')
      ? (value as T)
      : wrong(`0x and ${length - 2} hex digits`);
export const hex32Cell = hexCell<Hex32>(66);
export const addressCell = hexCell<Address>(42);

export const oneOf =
  <const T extends string>(values: readonly T[]): Column<T> =>
  (value) =>
    values.find((one) => one === value) ?? wrong(values.join(' or '));
export const laneCell: Column<Lane> = oneOf(LANES);

export const orNull =
  <T>(column: Column<T>): Column<T | null> =>
  (value) =>
    value === null ? null : column(value);
