import { unreachable } from '../errors.ts';
import type { LendingState, ScoreReason } from '../lending.ts';
import type { enLending } from './en-lending.ts';

function state(value: LendingState): string {
  switch (value) {
    case 'off':
      return '貸していません';
    case 'preparing':
      return '準備中';
    case 'open':
      return '稼働中';
    case 'slowed':
      return '低速で稼働中';
    case 'held':
      return '休止中';
    case 'draining':
      return '移動中';
    case 'suspended':
      return '新規停止中';
    default:
      return unreachable(value);
  }
}

function storageSays(value: LendingState): string {
  switch (value) {
    case 'off':
      return 'ディスクの一部で、他の人のファイルの暗号化された断片を預かれます。中身は誰にも見えず、使うのは決めた分だけです。';
    case 'preparing':
      return '保管庫を開いています。';
    case 'open':
      return 'ファイルの暗号化された断片を預かります。ゲーム中も続きます。';
    case 'slowed':
      return '使用中のため、回線は決めた分までに抑えて続けています。';
    case 'held':
      return '預かったものはディスクに残りますが、今は誰も取り出せません。';
    case 'draining':
      return '貸す量より多く預かっています。ほかの機器へ移し終えると、空き容量が戻ります。';
    case 'suspended':
      return '預かったものはそのままで、支払いも続きます。しばらく新しいものは届きません。';
    default:
      return unreachable(value);
  }
}

function bandwidthSays(value: LendingState): string {
  switch (value) {
    case 'off':
      return '公開されたファイルを、この回線から配れます。他の人の閲覧を中継することはありません。';
    case 'preparing':
      return 'キャッシュを開いています。';
    case 'open':
    case 'suspended':
      return '公開されたファイルだけを配ります。';
    case 'slowed':
      return '使用中のため、決めた速さまでに抑えて配っています。';
    case 'held':
      return '今は何も配っていません。';
    case 'draining':
      return 'キャッシュを小さくしています。';
    default:
      return unreachable(value);
  }
}

function scoreReason(value: ScoreReason): string {
  switch (value) {
    case 'new':
      return 'まだ実績がありません。検査のたびに上がります。';
    case 'passed':
      return '前回の検査に正しく答えました。';
    case 'failed':
      return '前回の検査に誤って答えました。預かったものの一部が壊れています。';
    case 'unanswered':
      return '前回の検査に、時間内に答えませんでした。';
    case 'offline':
      return '許された時間より長く、つながっていませんでした。';
    case 'disqualified':
      return '失われたものが多すぎました。この機器では、もう預かりません。';
    default:
      return unreachable(value);
  }
}

export const jaLending: typeof enLending = {
  title: 'ディスクと回線',
  alone: '決めた分だけを貸しています。作業は実行していません。',
  alonePromise: 'ゲーム中も、邪魔にならないように動きます。',
  state,
  storageSays,
  bandwidthSays,
  kept: (used, all) => `${all}のうち${used}を預かり中`,
  keptUnknown: (all) => `最大${all}まで預かります`,
  handedOut: (bytes) => `今日の配布${bytes}`,
  line: (stateSaid, more) => `${stateSaid}・${more}`,
  ofLent: (all) => `／${all}を使用中`,
  score: '評価',
  scoreNone: '評価はまだありません',
  scoreNoneMeaning: '何かを預かると、最初の検査が行われます。',
  scoreSaid: (percent) => `評価：100点中${percent}点`,
  scoreReason,
  suspended: (when) => `${when}まで、新しいものは届きません。`,
  checks: '検査',
  checksSaid: (passed, failed) => `正解${passed}回、不正解${failed}回`,
  checksNone: 'まだありません',
  earnedToday: '今日の収入',
  payout: '次の支払い',
  payoutIn: (span) => `${span}後`,
  payoutDue: 'まもなく',
  payoutNone: '未払いはありません',
  served: '今日の配布量',
  readers: '配布中の相手',
  readersSaid: (count) => (count === 0 ? '今はいません' : `${count}人`),
  cache: 'キャッシュ',
  cacheSaid: (used, all) => `${used}／${all}`,
  lastDays: (days) => `直近${days}日間の配布量`,
  change: '貸す量を変える',
  begin: '貸してみる',
  byDay: 'ディスクと回線の推移',
  byDayStored: '預かった量',
  byDayLine: '回線の使用量',
  byDayChart: (what, days) => `直近${days}日間の${what}`,
  byDayNone: 'この期間には、まだ何も貸していません。',
  byDayNoneDetail: '預かった量と回線の使用量が、一日ごとに表示されます。',
  notSeen: '記録なし',
  both: (into, out) => `受信${into}、送信${out}`,
  received: '受信',
  sent: '送信',
  session: 'ネットワークとの連絡',
  limits: '貸すもの',
  limitsMeaning:
    '設定するまでオフです。ゲームのたびにファイルが消えては困るため、保管は使用中も続きます。回線は、あなたが優先です。',
  storageOn: 'ディスクを貸す',
  storageOnMeaning: '暗号化されたファイルの断片を、ネットワークのない密閉されたコンテナで預かります。',
  lendGiB: '貸すディスクの量',
  lendGiBMeaning: 'これより多くは使いません。今より減らすと、残りはほかへ移され、そのあと空きが戻ります。',
  minFree: '必ず残す空き',
  minFreeMeaning: '貸しているドライブの空きです。これより減る前に、新しい預かりを止めます。',
  drive: 'ドライブ',
  driveOwn: 'Dockerのデータと同じ場所',
  driveMeaning: 'フォルダーを変えると、これから預かるものに使われます。',
  choose: 'フォルダーを選ぶ',
  chooseTitle: '預かるファイルの断片を置く場所',
  driveBack: 'Dockerの場所に戻す',
  driveFailed: 'フォルダーは変更されませんでした',
  bandwidthShare: '回線を貸す',
  bandwidthIdle: '離席中だけ',
  bandwidthAlways: '常に',
  bandwidthNever: 'オフ',
  bandwidthMeaning:
    '公開されたファイルを、この回線から配ります。他の人の閲覧がここを通ることはありません。「常に」でも、使用中は決めた速さまでに抑えます。',
  cacheGiB: 'キャッシュのディスク量',
  cacheGiBMeaning: 'よく求められるものが残り、求められないものは場所を譲ります。',
  resetDay: '数え直す日',
  resetDayMeaning: '毎月この日に数え直します。契約に合わせてください。',
  resetDaySaid: (day) => `${day}日`,
  on: 'オン',
  off: 'オフ',
  noLimit: '制限なし',
};
