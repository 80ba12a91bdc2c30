import { unreachable } from '../errors.ts';
import type { Reason } from '../guards.ts';
import type { enSharing } from './en-sharing.ts';
import { jaGpu } from './ja-gpus.ts';
import { jaDisturbances, jaSensors } from './ja-sensing.ts';

function cause(value: Reason): string {
  switch (value.kind) {
    case 'settings-broken':
      return '設定ファイルを読めない';
    case 'ledger-unwritable':
      return '収益をディスクに記録できない';
    case 'sandbox-leaks':
      return '隔離の検査に失敗';
    case 'paused':
      return '一時停止の操作';
    case 'lane-off':
      return '共有をオフにした';
    case 'lane-not-offered':
      return 'まだ利用できない';
    case 'no-gpu':
      return '共有できるGPUがない';
    case 'gpu-refused':
      return jaGpu(value.why).cause;
    case 'drained':
      return '指示どおり作業を終えた';
    case 'engine-unchecked':
      return 'Dockerを確認中';
    case 'engine-absent':
      return 'Dockerが動いていない';
    case 'engine-forbidden':
      return 'Dockerを使う権限がない';
    case 'engine-unfit':
      return 'Dockerが作業を隔離できない';
    case 'disk-low':
      return 'ディスクの空きがわずか';
    case 'schedule-closed':
      return '共有する時間帯の外';
    case 'on-battery':
      return 'バッテリー駆動中';
    case 'metered':
      return '従量制のネットワーク';
    case 'data-cap':
      return '今月のデータ量を使い切った';
    case 'too-hot':
      return `${Math.round(value.celsius)} °Cで高温`;
    case 'game':
      return `${value.name}を実行中`;
    case 'fullscreen':
      return `${value.name}が全画面表示中`;
    case 'gpu-memory':
      return `ほかのプログラムがグラフィックスメモリの${value.percent}%を使用`;
    case 'gpu-busy':
      return `ほかのプログラムがGPUの${value.percent}%を使用`;
    case 'media':
      return `${value.name}が再生中`;
    case 'idle-unknown':
      return '在席かどうかが分からない';
    case 'in-use':
      return 'あなたが使用中';
    case 'cpu-busy':
      return `ほかのプログラムがCPUの${value.percent}%を使用`;
    case 'sensor-unknown':
      return `${jaSensors[value.sensor]}を読み取れない`;
    case 'settling':
      return jaDisturbances[value.after].replace(/。$/, '');
    case 'coordinator-away':
      return 'ネットワークに接続できない';
    case 'fetching-image':
      return '作業用プログラムを取得中';
    default:
      return unreachable(value);
  }
}

export const jaSharing: typeof enSharing = {
  cause,
  lanes: {
    title: 'それぞれの今の様子',
    working: (jobs) => `${jobs}件の作業を実行中`,
    ready: '次の作業を待っています',
    finishing: (jobs) => `${jobs}件の作業を終えたら停止します`,
    held: (span) => `${span}経過`,
    named: (name, says) => `${name}：${says}`,
  },
  drain: {
    finish: '今の作業を終えたら停止',
    draining: '進行中の作業を終えています',
    promise: '新しい作業は始めません。再開するまで共有は止まります。',
  },
  activity: {
    title: 'いつ、なぜ',
    intro: 'この端末をあなたに返したときと、共有に戻ったときの記録です。',
    day: '今日の様子',
    ribbon: (unit, sharing) => `今日の${unit}：${sharing}共有`,
    groups: {
      run: '共有中',
      owner: 'あなた',
      program: 'プログラム',
      machine: '端末の状態',
      trouble: '不具合',
    },
    gaveWay: (why) => `作業を止めました：${why}`,
    rests: (why) => `引き続き休んでいます：${why}`,
    again: (after) => `${after}後に共有を再開`,
    began: '共有を開始',
    lasted: (span) => `${span}続きました`,
    lasting: (span) => `現在まで${span}`,
    none: 'まだ変化はありません',
    noneDetail: '共有を始めたり止めたりすると、その理由とともにここに記録されます。',
    ignore: (name) => `今後「${name}」を気にしない`,
    ignored: '今後は気にしません',
    today: '今日',
    yesterday: '昨日',
  },
  yielding: {
    pids: '作業ごとのプロセス数',
    pidsMeaning: 'これを超えるプロセスは作れません。',
    laneShare: '共有するとき',
    whenIdle: '離席中',
    always: '使用中も',
    never: '共有しない',
    gpuRefused: (why) => ({ said: `共有できません：${jaGpu(why).cause}。`, fix: jaGpu(why).fix }),
    gpuClosed: 'GPUの共有がオフのため、これもオフです。',
    ownIdle: '専用の離席時間',
    asGeneral: (span) => `全体と同じ（${span}）`,
    back: '端末をお返しするとき',
    backMeaning: '作業はまばたきの間に凍結し、止まったところから再開します。',
    off: 'なし',
    games: 'ゲームの実行中',
    gamesMeaning: '作業をすぐに凍結し、グラフィックスメモリを空けます。',
    fullscreen: '全画面表示中',
    fullscreenMeaning: '作業をすぐに凍結し、グラフィックスメモリを空けます。',
    media: '映画の再生中',
    mediaMeaning: '映画や通話の間は離席とみなしません。音楽だけなら離席とみなします。',
    metered: '従量制ネットワークでも共有',
    meteredMeaning: 'オフの場合、従量制の回線では通信しません。',
    cpuBusy: 'ほかのプログラムのCPU使用率',
    cpuBusyMeaning: '全コアに対する割合で、この値から休みます。作業自体は含みません。',
    gpuBusy: 'ほかのプログラムのGPU使用率',
    gpuBusyMeaning: 'この値から休みます。作業自体は含みません。',
    gpuMemory: 'ほかのプログラムのグラフィックスメモリ',
    gpuMemoryMeaning: 'この値から作業を終え、グラフィックスメモリを空けます。',
    heat: '温度',
    heatMeaning: '最も熱いセンサーがこの値に達すると、冷えるまで待ちます。',
    percent: (value) => `${value}%`,
    celsius: (value) => `${value} °C`,
  },
  schedule: {
    title: '時間帯',
    on: '決まった時間帯だけ共有',
    onMeaning: 'それ以外の時間は、離席中でも何も実行しません。',
    grid: '共有してよい曜日と時間',
    help: 'クリックかドラッグで塗ります。キーボードでは矢印で移動、スペースで切り替え、Shift＋矢印で塗ります。曜日と時刻の見出しは一列をまとめて切り替えます。',
    days: ['月', '火', '水', '木', '金', '土', '日'],
    hour: (hour) => `${hour}時`,
    cell: (day, hour, open) => `${day}曜${hour}時、${open ? '共有する' : '共有しない'}`,
    wholeDay: (day) => `${day}曜の全時間`,
    wholeHour: (hour) => `毎日の${hour}時`,
    all: 'いつでも',
    nights: '夜間と週末',
    zone: 'タイムゾーン',
    zoneSystem: (name) => `この端末に合わせる（${name}）`,
    openUntil: (when) => `今は共有の時間帯です（${when}まで）`,
    openAlways: 'すべての時間に共有します',
    opensAt: (when) => `今は時間帯の外です。次は${when}から`,
    opensNever: '共有する時間がありません。何も実行されません。',
  },
  games: {
    title: 'ゲームとプログラム',
    meaning: 'Steam、Epic、GOG、Battle.netなどのゲームは最初から分かります。',
    own: 'ゲームとして扱う',
    ignored: '気にしない',
    noOwn: 'まだ追加していません。',
    noIgnored: 'ありません。',
    name: '名前・ファイル・フォルダー',
    add: '追加',
    remove: (name) => `${name}を削除`,
    short: '2文字以上で入力してください。',
    already: 'すでに一覧にあります。',
    learn: '実行中のプログラムを覚える',
    learnTitle: 'どれがゲームですか？',
    learnMeaning: '先に起動しておいてください。名前だけをこの端末に保存します。',
    known: 'ゲームとして認識済み',
    none: '今は見えるプログラムがありません。',
    again: 'もう一度探す',
    close: '閉じる',
    failed: '一覧を変更できませんでした',
  },
  sensors: {
    title: 'Idlemeshが見ているもの',
    never:
      'キー入力、画面、音、ファイルの中身は決して記録しません。見たものはこの端末の外に出ず、残るのは記録画面の理由だけです。',
    states: {
      ok: '動作中',
      unknown: '応答なし：念のため作業を休みます',
      unavailable: 'この端末にはありません',
    },
    through: (sources) => `${sources}から取得`,
    none: 'センサーの応答を待っています。',
    name: (sensor) => jaSensors[sensor],
  },
};
