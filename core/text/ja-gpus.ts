import { unreachable } from '../errors.ts';
import type { GpuRefusal } from '../gpu-grants.ts';
import type { enGpu } from './en-gpus.ts';

export const jaGpu: typeof enGpu = (why: GpuRefusal) => {
  switch (why.kind) {
    case 'not-served':
      return {
        cause: 'このシステムでは作業に使えません',
        fix: 'WindowsとLinuxではNVIDIA、LinuxではAMDとIntelのGPUも共有できます。',
      };
    case 'no-runtime':
      return {
        cause: 'Dockerから渡す手段がありません',
        fix: 'NVIDIA Container Toolkitをインストールし、「sudo nvidia-ctk runtime configure --runtime=docker」を実行してからDockerを再起動してください。',
      };
    case 'behind-a-machine':
      return {
        cause: 'Docker Desktopからは使えません',
        fix: 'AMDとIntelのGPUには、Linuxに直接インストールしたDocker Engineが必要です。',
      };
    case 'no-device-file':
      return {
        cause: `ドライバーが${why.path}を用意していません`,
        fix:
          why.path === '/dev/kfd'
            ? '計算機能（ROCm、amdkfd）を含むamdgpuドライバーをインストールし、再起動してください。'
            : 'Linux用のドライバーをインストールし、再起動してください。',
      };
    case 'no-access':
      return {
        cause: `${why.path}はrootしか使えません`,
        fix: `一般的な設定どおり、renderグループに許可してください：sudo chgrp render ${why.path} && sudo chmod 660 ${why.path}`,
      };
    case 'gvisor-only':
      return {
        cause: 'gVisorだけで共有する設定のため渡せません',
        fix: 'エンジンの設定で、gVisorを「必須」から「優先」に変えてください。',
      };
    case 'did-not-start':
      return {
        cause: 'このGPUでは作業が始まりません',
        fix: `Dockerの応答：${why.detail}。ドライバーとNVIDIA Container Toolkitを確認してください。自動的に再試行します。`,
      };
    case 'failed-its-check':
      return {
        cause: 'テスト計算に失敗しました',
        fix: `${why.detail}。ドライバーを更新し、オーバークロックを解除してください。自動的に再試行します。`,
      };
    case 'proof-refuted':
      return why.why === 'late'
        ? {
            cause: 'ネットワークによる速度テストに時間がかかりすぎました',
            fix: 'GPUを使っているほかのアプリを閉じ、ドライバーを確認してください。自動的に再テストされます。',
          }
        : {
            cause: 'ネットワークによるテストで、このGPUの計算結果に誤りが見つかりました',
            fix: 'ドライバーを更新し、オーバークロックを解除してください。自動的に再テストされます。',
          };
    default:
      return unreachable(why);
  }
};
