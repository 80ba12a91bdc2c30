import type { Unfitness } from '../engine-gates.ts';
import { unreachable } from '../errors.ts';

const limits = { memory: 'メモリ', cpu: 'CPU時間', pids: 'プロセス数' } as const;

/** Why an engine may not run strangers' work: in a few words, and what to do. */
export function jaUnfit(why: Unfitness): { readonly short: string; readonly advice: string } {
  switch (why.kind) {
    case 'remote':
      return {
        short: '別の端末上にあります',
        advice: `Dockerの接続先が${why.url}になっています。DOCKER_HOSTを解除するか、ローカルのコンテキストを選ぶと（docker context use default）、自動で見つかります。リモートのエンジンは、その端末を共有してよい場合にだけ設定で許可してください。`,
      };
    case 'windows-containers':
      return {
        short: 'Windowsコンテナを使っています',
        advice: 'トレイのDockerアイコンを右クリックし、「Switch to Linux containers」を選んでください。',
      };
    case 'no-limits':
      return {
        short: '使用量を制限できません',
        advice:
          'コントロールグループなしで動いているため（バージョン1でのルートレスDockerなど）、どの上限も効きません。システムのDockerか、コントロールグループのバージョン2があるシステムを使ってください。',
      };
    case 'no-limit':
      return {
        short: `${limits[why.of]}を制限できません`,
        advice: `カーネルにコンテナの${limits[why.of]}の上限がありません。そのコントロールグループを有効にして（機種によってはカーネルのコマンドラインで）、再起動してください。`,
      };
    case 'no-seccomp':
      return {
        short: 'システムコールを絞り込めません',
        advice:
          'Dockerまたはカーネルがseccompなしで作られています。ディストリビューションかDocker公式のものを入れてください。',
      };
    case 'too-old':
      return {
        short: `${why.component} ${why.version}は古すぎます`,
        advice: `${why.minimum}以上が必要です（${why.because}）。Dockerを更新すると、自動で共有を始めます。`,
      };
    case 'no-gvisor':
      return why.broken
        ? {
            short: 'gVisorが動きません',
            advice:
              'gVisorでのみ作業する設定です。gVisorは入っていますが、コンテナを開始できませんでした。Dockerのログを確認するか、「使える場合に使う」を選んでください。',
          }
        : {
            short: 'gVisorがありません',
            advice:
              'gVisorでのみ作業する設定です。gVisor（gvisor.dev）を入れてDockerにランタイム「runsc」を加えるか、「使える場合に使う」を選んでください。',
          };
    default:
      return unreachable(why);
  }
}
