import { describe, expect, it } from 'vitest';
import { CONTENT_SECURITY_POLICY, contentFile, isOurPage } from '../../../main/content.ts';

const ROOT = '/app/out/renderer';

describe('contentFile', () => {
  it('finds files below the root', () => {
    expect(contentFile(ROOT, 'idlemesh://app/index.html')).toEqual({
      path: `${ROOT}/index.html`,
      type: 'text/html; charset=utf-8',
    });
    expect(contentFile(ROOT, 'idlemesh://app/assets/a%20b.js?x#y')?.path).toBe(`${ROOT}/assets/a b.js`);
  });

  it.each([
    'idlemesh://app/..%2f..%2fsecrets.json',
    'idlemesh://app/%2e%2e%2f%2e%2e%2fsecrets.json',
    'idlemesh://app/assets/..%2f..%2f..%2fpackage.json',
    'idlemesh://app/..%5c..%5csecrets.json',
    'idlemesh://app/a%00.js',
    'idlemesh://app/%zz.js',
    'idlemesh://other/index.html',
    'file:///etc/index.html',
    'https://app/index.html',
    'idlemesh://app/',
    'idlemesh://app/index.exe',
    'not an address',
  ])('refuses %s', (address) => {
    expect(contentFile(ROOT, address)).toBeNull();
  });

  it('keeps dots that the address itself resolves inside the root', () => {
    expect(contentFile(ROOT, 'idlemesh://app/../../package.json')?.path).toBe(`${ROOT}/package.json`);
  });
});

it.each([
  ['idlemesh://app/index.html', true],
  ['idlemesh://app/index.html#/wallet', true],
  ['idlemesh://app/index.html.evil', false],
  ['idlemesh://app/other.html', false],
  ['https://idlemesh.org/', false],
])('isOurPage(%s) is %s', (address, ours) => {
  expect(isOurPage(address)).toBe(ours);
});

it('lets the page connect nowhere and run nothing inline', () => {
  expect(CONTENT_SECURITY_POLICY).toContain("connect-src 'none'");
  expect(CONTENT_SECURITY_POLICY).toContain("default-src 'none'");
  expect(CONTENT_SECURITY_POLICY).not.toContain('unsafe');
});
