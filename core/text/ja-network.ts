import type { enNetwork } from './en-network.ts';

export const jaNetwork: typeof enNetwork = {
  title: 'ネットワーク',
  used: (into, out, day) => `今月：受信${into}、送信${out}。${day}に数え直します。`,
  usedOf: (all, cap, into, out, day) => `今月：${cap}のうち${all}（受信${into}、送信${out}）。${day}に数え直します。`,
  now: (into, out) => `現在：受信${into}、送信${out}。`,
  idleDown: '離席中の受信',
  idleUp: '離席中の送信',
  busyDown: '使用中の受信',
  busyUp: '使用中の送信',
  idleMeaning: 'すべての作業を合わせた、回線の使用量です。',
  busyMeaning: 'ゲームの実行中も含みます。',
  resultsMeaning: 'ゲームの実行中も含みます。終わった作業の結果は、ゆっくり送信されます。',
  cap: '毎月のデータ量',
  capMeaning:
    '受信と送信の合計です。上限の少し手前で休みます。手元の作業の結果を送るため、20分の1（最大1 GiB）を残します。',
  rate: (mbps) => `${mbps} Mbit/s`,
  data: (gib) => `${gib} GiB`,
  unlimited: '制限なし',
};
