// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title A contract account that vouches for what its one holder signed.
contract Wallet1271 is IERC1271 {
    address private immutable _holder;

    constructor(address holder) {
        _holder = holder;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(hash, signature) == _holder ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
