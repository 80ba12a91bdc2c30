import type { ErrorCode } from '../errors.ts';
import { unreachable } from '../errors.ts';
import type { Lane } from '../primitives.ts';
import type { enWords } from './en-words.ts';

type Words = typeof enWords;

function failure(code: ErrorCode): string {
  switch (code) {
    case 'BAD_INPUT':
      return 'この値は使えません。何も変更していません。';
    case 'UNAUTHORISED':
      return 'ネットワークがこの端末を受け付けません。Idlemeshを再起動して登録し直してください。';
    case 'NOT_FOUND':
      return 'まだ何もありません。次の精算の後にもう一度お試しください。';
    case 'CONFLICT':
      return '別の処理が進行中です。終わるのを待ってから、もう一度お試しください。';
    case 'REFUSED':
      return '拒否されました。何も変更していません。';
    case 'TOO_MANY':
      return '一度に多くの要求がありました。自動的に再開します。';
    case 'INSUFFICIENT_FUNDS':
      return '今は引き出せるトークンがありません。';
    case 'ENGINE_AWAY':
      return 'Dockerが応答しません。起動してから、もう一度お試しください。';
    case 'COORDINATOR_AWAY':
    case 'DATABASE_AWAY':
      return 'ネットワークに接続できません。収益は安全です。後でもう一度お試しください。';
    case 'CHAIN_AWAY':
      return 'チェーンに接続できません。収益は安全です。後でもう一度お試しください。';
    case 'REGISTRY_AWAY':
      return 'イメージの配布元に接続できません。自動的に再試行します。';
    case 'DISK_FULL':
      return 'ディスクがいっぱいです。空きを増やしてから、もう一度お試しください。';
    case 'SETTINGS_BROKEN':
      return '設定ファイルを読み込めません。修正するか、初期設定に戻してください。';
    case 'VAULT_UNREADABLE':
      return 'ウォレットがロックされています。システムのキーリングを解除して、Idlemeshを再起動してください。';
    case 'TIMEOUT':
      return '時間がかかりすぎました。収益は安全です。もう一度お試しください。';
    case 'CANCELLED':
      return '取り消されました。何も変更していません。';
    case 'WORKLOAD_FAILED':
      return '作業が失敗しました。この作業は支払われませんが、ほかの作業は続きます。';
    case 'INTERNAL':
      return '予期しない問題が起きました。もう一度試し、続く場合はIdlemeshを再起動してください。';
    default:
      return unreachable(code);
  }
}

const entryState: Words['entryState'] = (state) => {
  switch (state) {
    case 'verifying':
      return '検証中';
    case 'verified':
      return '承認済み';
    case 'reported':
      return '報告済み';
    case 'credited':
      return '確定';
    case 'refused':
      return '却下';
    default:
      return unreachable(state);
  }
};

const step: Words['step'] = (value) => {
  switch (value) {
    case 'signing':
      return { title: '署名', meaning: 'この端末のウォレットが引き出しに署名します。' };
    case 'relaying':
      return { title: '中継', meaning: 'ネットワークが代わりにチェーンへ送ります。' };
    case 'confirming':
      return { title: '確認', meaning: 'チェーンに記録されます。' };
    case 'done':
      return { title: '完了', meaning: 'トークンが届きました。' };
    default:
      return unreachable(value);
  }
};

const engine: Words['engine'] = (state) => {
  switch (state.kind) {
    case 'ready':
      return `Docker ${state.version}`;
    case 'unchecked':
      return 'Dockerを確認中';
    case 'absent':
      return 'Docker停止中';
    case 'forbidden':
      return 'Dockerの権限なし';
    case 'unfit':
      return 'Dockerが条件を満たしません';
    default:
      return unreachable(state);
  }
};

const coordinator: Words['coordinator'] = (state) => {
  switch (state.kind) {
    case 'connecting':
      return '接続中';
    case 'connected':
      return '接続済み';
    case 'away':
      return '接続できません';
    case 'refused':
      return '拒否されました';
    default:
      return unreachable(state);
  }
};

const LANE_NAMES: Readonly<Record<Lane, string>> = {
  cpu: 'CPU',
  gpu: 'GPU',
  bandwidth: '回線',
  storage: 'ストレージ',
};

const WORKLOADS: Readonly<Record<string, string>> = { transcode: '動画の変換' };

export const jaWords: Words = {
  unknown: '不明',
  tokens: 'トークン',
  failure,
  entryState,
  step,
  engine,
  coordinator,
  lane: (value) => LANE_NAMES[value],
  workload: (id) => WORKLOADS[id] ?? id,
};
