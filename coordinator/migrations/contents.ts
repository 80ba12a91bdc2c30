/** What is published, which devices were chosen to hold it, and the room that devices lend to such content. */
export const CONTENTS: readonly string[] = [
  `CREATE TABLE contents (
     content TEXT PRIMARY KEY,
     publisher TEXT NOT NULL,
     manifest_bytes BIGINT NOT NULL,
     bytes BIGINT NOT NULL,
     chunks INT NOT NULL,
     published_at BIGINT NOT NULL
   )`,
  'CREATE INDEX contents_by_publisher ON contents (publisher)',
  `CREATE TABLE content_devices (
     content TEXT NOT NULL REFERENCES contents (content) ON DELETE CASCADE,
     device TEXT NOT NULL,
     PRIMARY KEY (content, device)
   )`,
  `CREATE TABLE edge_offers (
     device TEXT PRIMARY KEY,
     owner TEXT NOT NULL,
     network TEXT,
     free_bytes BIGINT NOT NULL,
     used_bytes BIGINT NOT NULL,
     stated_at BIGINT NOT NULL
   )`,
];
