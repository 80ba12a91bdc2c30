import { checksumAddress } from '../../core/checksum.ts';
import type { Address } from '../../core/primitives.ts';
import { groupsOf } from '../format.ts';
import { CopyButton } from './copy.tsx';

/** An address with its EIP-55 capitals, in groups of four. Marking and copying give it whole, without blanks. */
export function AddressText({ address, what }: { readonly address: Address; readonly what?: string }) {
  const full = checksumAddress(address);
  const groups = groupsOf(full);
  return (
    <span className="address">
      <span className="address-groups">
        <span className="address-group">0x</span>
        {groups.map((group, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a group's place is its identity
          <span className="address-group" key={at}>
            {group}
          </span>
        ))}
      </span>
      {what === undefined ? null : <CopyButton value={full} what={what} />}
    </span>
  );
}
