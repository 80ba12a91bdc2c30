/** What consumers have set aside for content, and the receipts that were redeemed of it (decision 0032). */
export const DELIVERIES: readonly string[] = [
  `CREATE TABLE deliveries (
     delivery_id TEXT PRIMARY KEY,
     session TEXT NOT NULL,
     content TEXT NOT NULL,
     consumer TEXT NOT NULL,
     device TEXT NOT NULL,
     price NUMERIC(78,0) NOT NULL,
     fee_bps INT NOT NULL,
     max_bytes BIGINT NOT NULL DEFAULT 0,
     bytes BIGINT NOT NULL DEFAULT 0,
     expires_at BIGINT NOT NULL,
     closes_at BIGINT NOT NULL,
     closed BOOLEAN NOT NULL DEFAULT FALSE,
     CHECK (bytes <= max_bytes)
   )`,
  'CREATE INDEX deliveries_closing ON deliveries (closes_at) WHERE NOT closed',
  'CREATE INDEX deliveries_by_consumer ON deliveries (consumer) WHERE NOT closed',
  'CREATE INDEX deliveries_by_device ON deliveries (device, expires_at) WHERE NOT closed',
  // By the number of bytes of each the difference to the one before is what it was worth. Its digest names the credit.
  `CREATE TABLE redemptions (
     delivery_id TEXT NOT NULL REFERENCES deliveries (delivery_id),
     bytes BIGINT NOT NULL,
     digest TEXT NOT NULL,
     owner TEXT NOT NULL,
     value TEXT NOT NULL,
     signature TEXT NOT NULL,
     matures_at BIGINT NOT NULL,
     at BIGINT NOT NULL,
     PRIMARY KEY (delivery_id, bytes)
   )`,
];
