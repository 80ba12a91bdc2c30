// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IDistributor} from "./IDistributor.sol";

/// @title The one implementation of IDistributor; cannot be upgraded.
/// @dev Every effect is written before the token is called, so a token that calls back finds the books closed.
contract Distributor is IDistributor, EIP712 {
    using SafeERC20 for IERC20;

    bytes32 private constant CLAIM_TYPEHASH =
        keccak256("Claim(address owner,address recipient,uint256 amount,uint256 fee,uint256 deadline)");

    IERC20 public immutable token;
    address public immutable publisher;
    address public immutable guardian;
    /// @notice Seconds between publication and activation of a root; 0 on practice networks.
    uint64 public immutable activationDelay;

    /// @inheritdoc IDistributor
    uint256 public funded;
    /// @inheritdoc IDistributor
    uint256 public totalClaimed;
    /// @inheritdoc IDistributor
    mapping(address owner => uint256) public claimed;

    Root[] private _roots;

    constructor(IERC20 token_, address publisher_, address guardian_, uint64 activationDelay_) EIP712("Idlemesh", "1") {
        if (address(token_) == address(0) || publisher_ == address(0) || guardian_ == address(0)) revert ZeroAddress();
        token = token_;
        publisher = publisher_;
        guardian = guardian_;
        activationDelay = activationDelay_;
    }

    /// @inheritdoc IDistributor
    function fund(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        funded += amount;
        emit Funded(msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IDistributor
    function publishRoot(bytes32 root, uint256 total) external returns (uint256 rootIndex) {
        if (msg.sender != publisher) revert NotPublisher(msg.sender);
        if (root == bytes32(0)) revert EmptyRoot();
        uint256 floor = allocated();
        if (total < floor) revert TotalDecreased(total, floor);
        if (total > funded) revert NotFunded(total, funded);
        rootIndex = _roots.length;
        uint64 activatedAt = uint64(block.timestamp) + activationDelay;
        _roots.push(Root({root: root, total: total, activatedAt: activatedAt, disabled: false}));
        emit RootPublished(rootIndex, root, total, activatedAt);
    }

    /// @inheritdoc IDistributor
    function disableRoot(uint256 rootIndex) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        Root storage entry = _root(rootIndex);
        if (entry.disabled) revert RootIsDisabled(rootIndex);
        if (block.timestamp >= entry.activatedAt) revert RootAlreadyActive(rootIndex);
        entry.disabled = true;
        emit RootDisabled(rootIndex);
    }

    /// @inheritdoc IDistributor
    function claim(uint256 rootIndex, uint256 amount, bytes32[] calldata proof) external {
        uint256 due = _settle(msg.sender, msg.sender, amount, 0, rootIndex, proof);
        token.safeTransfer(msg.sender, due);
    }

    /// @inheritdoc IDistributor
    function claimFor(
        ClaimRequest calldata request,
        uint256 rootIndex,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external {
        if (block.timestamp > request.deadline) revert Expired(request.deadline);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CLAIM_TYPEHASH,
                    request.owner,
                    request.recipient,
                    request.amount,
                    request.fee,
                    request.deadline
                )
            )
        );
        if (!SignatureChecker.isValidSignatureNow(request.owner, digest, signature)) {
            revert InvalidSignature(request.owner);
        }
        uint256 due = _settle(request.owner, request.recipient, request.amount, request.fee, rootIndex, proof);
        token.safeTransfer(request.recipient, due - request.fee);
        if (request.fee != 0) token.safeTransfer(msg.sender, request.fee);
    }

    /// @inheritdoc IDistributor
    function allocated() public view returns (uint256) {
        for (uint256 i = _roots.length; i > 0; --i) {
            Root storage entry = _roots[i - 1];
            if (!entry.disabled) return entry.total;
        }
        return 0;
    }

    /// @inheritdoc IDistributor
    function rootCount() external view returns (uint256) {
        return _roots.length;
    }

    /// @inheritdoc IDistributor
    function rootAt(uint256 rootIndex) external view returns (Root memory) {
        return _root(rootIndex);
    }

    /// @dev Checks a leaf and books its payment; moves no token. Returns what is due, fee included.
    function _settle(
        address owner,
        address recipient,
        uint256 amount,
        uint256 fee,
        uint256 rootIndex,
        bytes32[] calldata proof
    ) private returns (uint256 due) {
        Root storage entry = _root(rootIndex);
        if (entry.disabled) revert RootIsDisabled(rootIndex);
        if (block.timestamp < entry.activatedAt) revert RootNotActive(rootIndex, entry.activatedAt);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(owner, amount))));
        if (!MerkleProof.verifyCalldata(proof, entry.root, leaf)) revert InvalidProof();
        uint256 before = claimed[owner];
        if (amount <= before) revert NothingDue(owner, amount, before);
        due = amount - before;
        if (fee > due) revert FeeTooHigh(fee, due);
        claimed[owner] = amount;
        totalClaimed += due;
        if (totalClaimed > allocated()) revert OverAllocated(totalClaimed, allocated());
        emit Claimed(owner, recipient, amount, due, fee);
    }

    function _root(uint256 rootIndex) private view returns (Root storage) {
        if (rootIndex >= _roots.length) revert UnknownRoot(rootIndex);
        return _roots[rootIndex];
    }
}
