import { type Secret, shuffled } from './draw.ts';
import type { Party } from './trust.ts';

/** Groups of those who are tied by an owner or by a network, through others too. */
function tied<T extends Party>(list: readonly T[]): readonly (readonly T[])[] {
  const groupOf = new Map<string, T[]>();
  const groups = new Set<T[]>();
  for (const item of list) {
    const names = [`owner ${item.owner}`, ...(item.network === null ? [] : [`network ${item.network}`])];
    const found = new Set(names.flatMap((name) => [groupOf.get(name) ?? []]).filter((group) => group.length > 0));
    const [first = [], ...others] = found;
    groups.add(first);
    for (const other of others) {
      first.push(...other);
      groups.delete(other);
    }
    first.push(item);
    for (const member of first) {
      groupOf.set(`owner ${member.owner}`, first);
      if (member.network !== null) groupOf.set(`network ${member.network}`, first);
    }
  }
  return [...groups];
}

/**
 * The order in which devices are offered work. Those of one owner or one network draw one lot together: first comes one device of each,
 * in an order that nobody outside can foresee, then the second one of each, and so on. Many identities do not make many lots.
 */
export function inLots<T extends Party>(secret: Secret, round: string, list: readonly T[]): readonly T[] {
  const groups = tied(shuffled(secret, 'offer', round, list));
  const lots = shuffled(secret, 'offer', `${round} lots`, groups);
  const turns: T[] = [];
  for (let turn = 0; turns.length < list.length; turn++) {
    for (const group of lots) {
      const item = group[turn];
      if (item !== undefined) turns.push(item);
    }
  }
  return turns;
}
