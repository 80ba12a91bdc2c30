/** Where a device said that it can be dialled without the relay: JSON, or null for nowhere. */
export const CHANNELS: readonly string[] = ['ALTER TABLE devices ADD COLUMN direct TEXT'];
