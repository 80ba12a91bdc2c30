import type { Diagnosis, Finding } from '../doctor.ts';
import { unreachable } from '../errors.ts';
import type { Advice, enDoctor } from './en-doctor.ts';
import { duration, gibibytes } from './format.ts';
import { jaCatalogue } from './ja-catalogue.ts';
import { jaUnfit } from './ja-engine.ts';
import { jaGpu } from './ja-gpus.ts';

const says = (text: string): Advice => ({ says: text, fix: null, command: null });

const install = {
  linux: [
    'Dockerを入れてから、ログインし直してください。',
    'sudo apt-get install docker.io && sudo usermod -aG docker "$USER"',
  ],
  macos: ['Docker Desktopを入れて、一度起動してください。', 'brew install --cask docker'],
  windows: ['Docker Desktopを入れて、一度起動してください。', 'winget install -e --id Docker.DockerDesktop'],
  other: ['お使いのシステム向けのDockerまたはPodmanを入れてください。', null],
} as const;

function start(found: Extract<Diagnosis, { kind: 'engine-stopped' }>): Advice {
  const stopped = 'Dockerは入っていますが、動いていません';
  if (found.platform === 'linux' && !found.desktop) {
    return {
      says: stopped,
      fix: '今すぐ、そして起動のたびに動くようにしてください。',
      command: 'sudo systemctl enable --now docker',
    };
  }
  return { says: stopped, fix: 'Docker Desktopを起動し、「running」と出るまで待ってください。', command: null };
}

function advice(found: Finding): Advice {
  switch (found.kind) {
    case 'engine-ready':
      return says(
        `${found.product === 'podman' ? 'Podman' : 'Docker'} ${found.version}${found.place === null ? '' : `（${found.place}）`}`,
      );
    case 'engine-unchecked':
      return says('まだ確認していません');
    case 'engine-missing': {
      const [fix, command] = install[found.platform];
      return { says: 'この端末にはDockerがありません', fix, command };
    }
    case 'engine-stopped':
      return start(found);
    case 'engine-forbidden':
      return {
        says: 'Dockerは動いていますが、このユーザーには使う権限がありません',
        fix: 'dockerグループに自分を追加し、ログインし直してください。',
        command: 'sudo usermod -aG docker "$USER"',
      };
    case 'engine-unfit': {
      const { short, advice: fix } = jaUnfit(found.why);
      return { says: `Dockerが作業を安全に隔離できません：${short}`, fix, command: null };
    }
    case 'virtualisation-on':
      return says('有効です');
    case 'virtualisation-off':
      return {
        says: '無効です。このシステムのコンテナには必要です',
        fix:
          found.platform === 'windows'
            ? 'ファームウェアの設定に入り（Shiftを押しながら「再起動」、トラブルシューティング、詳細オプション、UEFI）、Intel VT-xまたはAMD SVMを有効にしてください。'
            : 'ファームウェアの設定で仮想化（Intel VT-xまたはAMD SVM）を有効にしてください。',
        command: null,
      };
    case 'wsl-ready':
      return says('WSL 2が使えます');
    case 'wsl-old':
      return {
        says: 'WSLが古すぎます',
        fix: '管理者のターミナルで更新してください。',
        command: 'wsl --update',
      };
    case 'wsl-missing':
      return {
        says: 'WSL 2がありません',
        fix: '管理者のターミナルで入れてから、再起動してください。',
        command: 'wsl --install --no-distribution',
      };
    case 'gvisor-in-use':
      return says('作業はgVisorの専用カーネルで動きます');
    case 'gvisor-off':
      return says('選択どおり使いません。作業はコンテナで隔離されます');
    case 'gvisor-not-offered':
      return {
        says: 'このエンジンにはありません。作業はコンテナで隔離されます',
        fix: '任意：gVisor（gvisor.dev）を入れてDockerにランタイム「runsc」を加えると、壁がもう一枚増えます。',
        command: null,
      };
    case 'gvisor-not-working':
      return {
        says: 'ありますが、まだ何も動いていません。作業はコンテナで隔離されます',
        fix: '作業用のプログラムがそろい次第試します。変わらない場合はDockerのログを確認してください。',
        command: null,
      };
    case 'gpu-none':
      return says('グラフィックカードは見つかりません');
    case 'gpu-served':
      return says(`Dockerから使えます：${found.makers}`);
    case 'gpu-refused': {
      const { cause, fix } = jaGpu(found.why);
      return { says: `${found.name}: ${cause}`, fix, command: null };
    }
    case 'catalogue-valid':
      return says('必要な数の鍵で署名され、有効期間内です');
    case 'catalogue-faulty': {
      const { title, advice: fix } = jaCatalogue(found.problem);
      return { says: title, fix, command: null };
    }
    case 'gpu-not-served':
      return {
        says: `Dockerからグラフィックカードを使えません（${found.makers}）`,
        fix:
          found.platform === 'windows'
            ? 'NVIDIAドライバーとDocker Desktopを更新し、DockerでWSL 2エンジンを使ってください。'
            : found.platform === 'macos'
              ? 'macOSのコンテナはグラフィックカードを使えません。CPUは共有できます。'
              : 'NVIDIA Container Toolkitを入れて、Dockerを再起動してください。',
        command: found.platform === 'linux' ? 'sudo nvidia-ctk runtime configure --runtime=docker' : null,
      };
    case 'images-present':
      return says(`必要なイメージ${found.count}件がそろっています`);
    case 'images-missing':
      return {
        says: `イメージ${found.listed}件のうち${found.present}件があります`,
        fix: '残りは端末が空いているときに取得します。',
        command: null,
      };
    case 'images-none':
      return {
        says: '動かせるものの一覧がありません',
        fix: 'インターネットに接続してください。一覧はネットワークから届きます。',
        command: null,
      };
    case 'disk-enough':
      return says(`空き${gibibytes(found.freeBytes)}`);
    case 'disk-low':
      return {
        says: `空き${gibibytes(found.freeBytes)}、確保する空き${gibibytes(found.neededBytes)}`,
        fix: '空きを増やすか、「制限」で下げてください。',
        command: null,
      };
    case 'clock-right':
      return says('1分以内で合っています');
    case 'clock-wrong':
      return {
        says: `ネットワークの時計より${duration(Math.abs(found.skewMs), 'ja')}${found.skewMs > 0 ? '遅れています' : '進んでいます'}`,
        fix: 'システムの時計をインターネットで自動設定にしてください。',
        command: null,
      };
    case 'coordinator-connected':
      return says('接続しています');
    case 'coordinator-away':
      return {
        says: `接続できません（${found.detail}）`,
        fix: 'インターネット接続と、「設定」のアドレスを確認してください。終えた作業は保管されます。',
        command: null,
      };
    case 'coordinator-refused':
      return {
        says: `このデバイスを拒否しました（${found.detail}）`,
        fix: '「設定」のアドレスを確認してください。',
        command: null,
      };
    case 'not-known':
      return says('今はわかりません');
    default:
      return unreachable(found);
  }
}

export const jaDoctor: typeof enDoctor = {
  title: '診断',
  intro: 'この端末での共有に必要なものと、足りないものの直し方です。',
  looking: '確認しています…',
  again: 'もう一度確認',
  summary: (bad, hint) =>
    bad > 0
      ? `${bad}件の問題で作業を動かせません`
      : hint > 0
        ? '問題ありません。さらに良くできる点があります'
        : '問題ありません',
  checks: {
    engine: 'Docker',
    virtualisation: '仮想化',
    wsl: 'WSL 2',
    gvisor: 'gVisor',
    gpu: 'グラフィックカード',
    catalogue: '作業の一覧',
    images: 'イメージ',
    disk: 'ディスク',
    clock: '時計',
    coordinator: 'ネットワーク',
  },
  states: { fine: '良好', hint: '改善できます', bad: '要対応', unknown: '不明' },
  advice,
  gvisor: 'gVisorを使う',
  gvisorHint: '作業ごとに専用のカーネルで動かします。読み書きの多い作業は遅くなります。',
  gvisorChoices: { prefer: '使える場合に使う', require: 'gVisorでのみ', never: '使わない' },
};
