/** What was booked of a transaction under its old name is asked with each new deposit, and the transfers of all jobs lie between. */
export const DEPOSITS: readonly string[] = [
  `CREATE INDEX transfers_deposits ON transfers (split_part(key, ':', 2)) WHERE kind = 'deposit'`,
];
