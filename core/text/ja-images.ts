import { unreachable } from '../errors.ts';
import type { enImages } from './en-images.ts';
import { mebibytes } from './format.ts';

type Words = (typeof enImages)['images'];

const obstacle: Words['obstacle'] = (value, when) => {
  switch (value.kind) {
    case 'waiting':
      return 'この端末が作業できるときに取得します。';
    case 'no-source':
      return 'カタログに取得元がありません。';
    case 'disk':
      return `確保する空きと合わせて${mebibytes(value.neededBytes)}の空きが必要ですが、空きは${mebibytes(value.freeBytes)}です。`;
    case 'budget':
      return `取得すると合計${mebibytes(value.neededBytes)}になり、上限の${mebibytes(value.budgetBytes)}を超えます。`;
    case 'failed':
      return `取得できませんでした（${value.detail}）。${when(value.at)}に再試行します。`;
    case 'refused':
      return `実行できません：${value.detail}。新しいカタログを待っています。`;
    default:
      return unreachable(value);
  }
};

export const jaImages: typeof enImages = {
  images: {
    title: '作業用のプログラム',
    meaning: '密閉されたイメージとして届き、署名付きカタログと照合されます。不要になれば削除されます。',
    none: 'カタログに登録されたプログラムはありません。',
    budget: 'プログラム用のディスク',
    budgetMeaning: '長く使われていないものから削除します。あなた自身のイメージには触れません。',
    used: (bytes) => `ディスク使用量 ${mebibytes(bytes)}`,
    states: {
      present: 'この端末にあります',
      fetching: '取得中',
      missing: 'まだありません',
      refused: '拒否しました',
    },
    obstacle,
    bytes: (bytes, state) =>
      bytes === null ? 'サイズ不明' : state === 'present' ? mebibytes(bytes) : `取得サイズ ${mebibytes(bytes)}`,
    yours: 'あなたのもの：Idlemeshが取得したものではないため、削除しません',
    progress: (program) => `${program}を取得中`,
  },
};
