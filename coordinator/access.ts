import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';

export type Role = 'consumer' | 'device';
export type Bearer = { readonly account: Address; readonly role: Role };

const LIFETIME_MS: Readonly<Record<Role, number>> = { consumer: 60 * 60_000, device: 24 * 60 * 60_000 };
const TOKEN = /^(consumer|device)\.(0x[0-9a-f]{40})\.(\d{1,15})\.([A-Za-z0-9_-]{43})$/;

/** Bearer tokens that carry their own proof (HMAC-SHA-256), so none is stored and a restart ends none. */
export class Tokens {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  grant(account: Address, role: Role, now: UnixMs): { readonly token: string; readonly expiresAt: UnixMs } {
    const expiresAt = now + LIFETIME_MS[role];
    const text = `${role}.${account}.${expiresAt}`;
    return { token: `${text}.${this.#seal(text).toString('base64url')}`, expiresAt };
  }

  /** null: not one of ours, altered, or expired. */
  check(token: string, now: UnixMs): Bearer | null {
    const [, role, account, expiresAt, seal] = TOKEN.exec(token) ?? [];
    if (role === undefined || account === undefined || seal === undefined) return null;
    if (!timingSafeEqual(Buffer.from(seal, 'base64url'), this.#seal(`${role}.${account}.${expiresAt}`))) return null;
    if (Number(expiresAt) <= now) return null;
    return { account: account as Address, role: role === 'device' ? 'device' : 'consumer' };
  }

  /** What the webhooks of an account are signed with, in the form of Standard Webhooks. */
  webhookSecret(account: Address, generation: number): string {
    return `whsec_${this.#seal(`webhook.${account}.${generation}`).toString('base64')}`;
  }

  /** Lets one end into a channel: known to any replica, and stored nowhere. */
  channelTicket(channelId: Hex32, end: Role): string {
    return this.#seal(`channel.${end}.${channelId}`).toString('base64url');
  }

  #seal(text: string): Buffer {
    return createHmac('sha256', this.#secret).update(text).digest();
  }
}
