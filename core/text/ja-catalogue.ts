import type { CatalogueProblem } from '../doctor.ts';
import { unreachable } from '../errors.ts';
import type { CatalogueRefusal } from '../release.ts';
import type { Text } from './en.ts';
import { day } from './format.ts';

const FETCH = 'ネットワークに接続するか、最新のIdlemeshをインストールしてください';

function refusal(why: CatalogueRefusal): { readonly what: string; readonly todo: string } {
  switch (why.kind) {
    case 'no-keys':
      return {
        what: 'このIdlemeshには公開鍵が入っていないため、どの作業リストも信頼できません',
        todo: '正式版をインストールしてください',
      };
    case 'missing':
      return { what: 'このパソコンに作業リストがありません', todo: FETCH };
    case 'too-large':
      return { what: '作業リストが大きすぎます', todo: FETCH };
    case 'malformed':
      return { what: `作業リストが壊れています（${why.detail}）`, todo: FETCH };
    case 'signatures': {
      const strangers = why.unknown === 0 ? '' : `。ほかに未知の鍵の署名が${why.unknown}個あります`;
      return {
        what: `作業リストに必要な署名${why.needed}個のうち、${why.valid}個しかありません${strangers}`,
        todo: FETCH,
      };
    }
    case 'newer-format':
      return { what: '作業リストが新しいIdlemesh向けです', todo: '最新のIdlemeshをインストールしてください' };
    case 'older':
      return {
        what: `作業リストのバージョン${why.version}は、以前有効だったバージョン${why.highest}より古いものです`,
        todo: FETCH,
      };
    case 'rewritten':
      return { what: `作業リストが、以前有効だったバージョン${why.version}と異なります`, todo: FETCH };
    case 'clock':
      return {
        what: `作業リストの発行日は${day(why.issuedAt, 'ja')}ですが、このパソコンの時計はそれより前の日付です`,
        todo: '時計を合わせてください',
      };
    case 'expired':
      return {
        what: `作業リストの有効期限（${day(why.since, 'ja')}）が過ぎています`,
        todo: `${FETCH}。日付が違う場合は時計を合わせてください`,
      };
    default:
      return unreachable(why);
  }
}

export function jaCatalogue(value: CatalogueProblem): ReturnType<Text['problem']> {
  switch (value.kind) {
    case 'catalogue-untrusted': {
      const { what, todo } = refusal(value.why);
      return { title: '信頼できる作業リストがありません', advice: `${what}。${todo}。それまで何も実行しません。` };
    }
    case 'catalogue-refused':
      return {
        title: 'ネットワークの作業リストを受け入れませんでした',
        advice: `${value.url}：${refusal(value.why).what}。これまでのリストを使い続けます。`,
      };
    case 'catalogue-expiring':
      return {
        title: '作業リストの有効期限が近づいています',
        advice: `${day(value.at, 'ja')}まで有効で、その後は何も実行しません。${FETCH}。`,
      };
    default:
      return unreachable(value);
  }
}
