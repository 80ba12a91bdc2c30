import type { Reason } from '../decide.ts';
import { unreachable } from '../errors.ts';
import type { Fetching } from '../signals.ts';
import type { Presence, Problem, RunPhase } from '../snapshot.ts';
import type { Moment, Text } from './en.ts';
import { calendarDay, clockTime, duration, gibibytes } from './format.ts';
import { jaCatalogue } from './ja-catalogue.ts';
import { jaUnfit } from './ja-engine.ts';
import { jaGpu } from './ja-gpus.ts';
import { jaProof } from './ja-proof.ts';
import { jaDisturbances as disturbances, jaSensors as sensorNames } from './ja-sensing.ts';
import { jaWindow } from './ja-window.ts';

const LOCALE = 'ja';

function reason(value: Reason, at: Moment): string {
  switch (value.kind) {
    case 'settings-broken':
      return '休止中：設定ファイルを読み込めません';
    case 'ledger-unwritable':
      return '休止中：収益をディスクに記録できません';
    case 'sandbox-leaks':
      return '休止中：検査プログラムが隔離から脱出しました';
    case 'paused':
      return value.until === 'resumed'
        ? '再開するまで一時停止中'
        : `${clockTime(value.until, at)}まで一時停止中（残り${duration(value.until - at.now, LOCALE)}）`;
    case 'lane-off':
      return '制限の設定でオフになっています';
    case 'lane-not-offered':
      return 'まだ利用できません';
    case 'no-gpu':
      return '共有できるGPUがありません';
    case 'gpu-refused':
      return `共有できません：${jaGpu(value.why).cause}`;
    case 'engine-unchecked':
      return 'Dockerを確認しています';
    case 'engine-absent':
      return '休止中：Dockerが動いていません';
    case 'engine-forbidden':
      return '休止中：このユーザーにはDockerを使う権限がありません';
    case 'engine-unfit':
      return `休止中：Dockerが作業を安全に隔離できません（${jaUnfit(value.why).short}）`;
    case 'disk-low':
      return `休止中：ディスクの空きは${gibibytes(value.freeBytes)}、確保する空きは${gibibytes(value.neededBytes)}です`;
    case 'on-battery':
      return 'バッテリー駆動中のため休止中';
    case 'idle-unknown':
      return '休止中：使用中かどうかをこのシステムから取得できません';
    case 'in-use':
      return `使用中です。離席すると${duration(value.resumesAt - at.now, LOCALE)}後に共有を始めます`;
    case 'drained':
      return '指示どおり作業を終えました。再開するまで休みます';
    case 'schedule-closed':
      return value.opensAt === null
        ? '共有しない時間帯です'
        : `共有しない時間帯です。${clockTime(value.opensAt, at)}から共有します（あと${duration(value.opensAt - at.now, LOCALE)}）`;
    case 'metered':
      return '従量制のネットワークのため休んでいます';
    case 'data-cap':
      return `今月のデータ量${gibibytes(value.capBytes)}を、結果を送る分を除いて使い切りました。${calendarDay(value.resetsAt, at, LOCALE)}から共有します`;
    case 'too-hot':
      return `${Math.round(value.celsius)} °Cになり、上限の${value.limit} °Cを超えたため休んでいます`;
    case 'game':
      return `${value.name}の実行中は休みます`;
    case 'fullscreen':
      return `${value.name}が全画面表示の間は休みます`;
    case 'gpu-memory':
      return `ほかのプログラムが${value.gpu}のメモリを${value.percent}%使っているため休んでいます`;
    case 'gpu-busy':
      return `ほかのプログラムが${value.gpu}を${value.percent}%使っているため休んでいます`;
    case 'media':
      return `${value.name}が再生中、または画面を点けたままにしているため休んでいます`;
    case 'cpu-busy':
      return `ほかのプログラムがCPUを${value.percent}%使っているため休んでいます`;
    case 'sensor-unknown':
      return `${sensorNames[value.sensor]}が今は読み取れないため、念のため休んでいます`;
    case 'settling':
      return `${disturbances[value.after]}このままなら${duration(value.resumesAt - at.now, LOCALE)}後に共有します`;
    case 'coordinator-away':
      return 'ネットワークを待っています';
    case 'fetching-image':
      return fetching(value);
    default:
      return unreachable(value);
  }
}

function fetching({ percent, stuck }: Fetching): string {
  if (percent !== null) return `作業用のプログラムを取得しています：${percent}%`;
  switch (stuck) {
    case 'disk':
      return '作業用のプログラムを置く空き容量が足りません';
    case 'budget':
      return '作業用のプログラムは「制限」で決めた容量に収まりません';
    case 'failed':
      return '作業用のプログラムを取得できませんでした。後でもう一度試します';
    default:
      return '作業用のプログラムがまだこの端末にありません';
  }
}

function problem(value: Problem): { readonly title: string; readonly advice: string } {
  switch (value.kind) {
    case 'settings-broken':
      return {
        title: '設定ファイルを読み込めません',
        advice: `${value.detail}。${value.path} を直すか、初期設定に戻してください。それまで共有しません。`,
      };
    case 'ledger-unwritable':
      return {
        title: '収益をディスクに記録できません',
        advice: `${value.detail}。空き容量を増やしてください。収益は失われず、共有は自動で再開します。`,
      };
    case 'sandbox-leaks':
      return {
        title: '検査プログラムが隔離から脱出しました',
        advice: jaProof.advice,
      };
    case 'engine-absent':
      return {
        title: 'Dockerが動いていません',
        advice: `${value.detail}。Dockerを起動またはインストールすると、自動で共有を始めます。`,
      };
    case 'engine-forbidden':
      return {
        title: 'このユーザーにはDockerを使う権限がありません',
        advice: `${value.detail}。Linuxではdockerグループに自分を追加し（sudo usermod -aG docker "$USER"）、ログインし直してください。自動で共有を始めます。`,
      };
    case 'engine-unfit':
      return {
        title: `Dockerが作業を安全に隔離できません：${jaUnfit(value.why).short}`,
        advice: jaUnfit(value.why).advice,
      };
    case 'engine-slow':
      return {
        title: 'Dockerの停止処理が間に合いませんでした',
        advice: `${value.detail}。お使いのパソコンを優先し、作業を終了しました。後で自動的にやり直します。`,
      };
    case 'disk-low':
      return {
        title: 'ディスクの空きがわずかです',
        advice: `空きは${gibibytes(value.freeBytes)}、確保する設定は${gibibytes(value.neededBytes)}です。空きを増やすか、制限を下げてください。`,
      };
    case 'coordinator-away':
      return {
        title: 'ネットワークに接続できません',
        advice: `${value.url}：${value.detail}。終えた作業は保存され、接続が戻ると送られます。`,
      };
    case 'coordinator-refused':
      return { title: 'ネットワークがこの端末を拒否しました', advice: `${value.url}：${value.detail}` };
    case 'chain-away':
      return {
        title: 'チェーンに接続できません',
        advice: `${value.detail}。残高は不明で、引き出しは待機中です。収益は安全です。`,
      };
    case 'vault-unreadable':
      return {
        title: 'ウォレットを開けません',
        advice: `${value.detail}。何も変更していません。以前使ったシステムのキーリングを解除してから、もう一度起動してください。`,
      };
    case 'catalogue-untrusted':
    case 'catalogue-refused':
    case 'catalogue-expiring':
      return jaCatalogue(value);
    case 'not-started':
      return {
        title: 'Idlemeshを開始できません',
        advice: `${value.detail}。その間は何も共有しません。自動でもう一度試します。`,
      };
    default:
      return unreachable(value);
  }
}

function presence(value: Presence): string {
  switch (value) {
    case 'sharing':
      return '共有中';
    case 'waiting':
      return '待機中';
    case 'paused':
      return '一時停止中';
    case 'attention':
      return '確認が必要';
    default:
      return unreachable(value);
  }
}

function phase(value: RunPhase): string {
  switch (value) {
    case 'fetching':
      return '入力を取得中';
    case 'running':
      return '実行中';
    case 'frozen':
      return '一時凍結中';
    case 'uploading':
      return '結果を送信中';
    default:
      return unreachable(value);
  }
}

export const ja: Text = {
  reason,
  problem,
  presence,
  phase,
  terminal: {
    unknown: '不明',
    today: '今日',
    jobs: (count) => `${count}件`,
    credited: '確定',
    verifying: '検証中',
    claimable: '引き出し可能',
    balance: 'ウォレット残高',
    owner: '所有者',
  },
  tray: {
    earnedToday: (amount) => `今日の収益 ${amount}`,
    shareWhenIdle: '離席中に共有',
    shareNow: '今すぐ共有',
    pause: '一時停止',
    pauseHour: '1時間',
    pauseTomorrow: '明日まで',
    pauseResumed: '再開するまで',
    resume: '再開',
    open: 'Idlemeshを開く',
    quit: '終了',
  },
  window: jaWindow,
};
