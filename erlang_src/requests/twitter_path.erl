%%% @doc Node ids: the reader's names for things, and the names of stored nodes. The grammar is in
%%% the core (`native/core/src/path.rs').
%%%
%%% mod_pubsub finds a stored node only under its id *with the key* of this run of ejabberd, which no
%%% client can know: whatever way a stored id takes to mod_pubsub past us, there is no such node.
-module(twitter_path).

-export([is_reserved/1, parse/1, parse_disco/1, id/1, stored/1, author/1]).
-export([parent/0, make_key/0, with_key/1, without_key/1]).

%% @doc Whether the id is `/twitter' or lies below it. Needs no NIF, so that ordinary pubsub works
%% even where the core could not be loaded.
-spec is_reserved(Id :: binary()) -> boolean().
is_reserved(<<"/twitter">>) -> true;
is_reserved(<<"/twitter/", _/binary>>) -> true;
is_reserved(_) -> false.

%% @doc What a node id from the wire names.
-spec parse(Id :: binary()) -> foreign | unknown | twitter_nif:node_term().
parse(Id) -> twitter_nif:parse_node(Id).

%% @doc The same in service discovery, where mod_pubsub cuts ids at `!'.
-spec parse_disco(Id :: binary()) -> foreign | unknown | twitter_nif:node_term().
parse_disco(Id) -> twitter_nif:parse_disco_node(Id).

%% @doc The wire id of a node.
-spec id(twitter_nif:node_term()) -> binary().
id(Node) -> twitter_nif:node_id(Node).

%% @doc The id of the node that stores an author's posts.
-spec stored(Author :: twitter_nif:jid()) -> binary().
stored(Author) -> twitter_nif:stored_node(Author).

%% @doc The author whose posts a node stores.
-spec author(Id :: binary()) -> {ok, twitter_nif:jid()} | none.
author(Id) ->
    try is_reserved(Id) andalso twitter_nif:author_of_stored(Id) of
        {ok, Author} -> {ok, Author};
        _ -> none
    catch
        %% Where the core could not be loaded, nobody's posts are served.
        error:undef -> none
    end.

%% @doc The parent of all stored nodes, for the database: none that a user could create, list or delete
%% when the plugin is gone, since no such character comes through XML.
-spec parent() -> binary().
parent() -> <<1, "/twitter">>.

%% @doc Chooses the key, once for a run of ejabberd.
-spec make_key() -> ok.
make_key() ->
    case persistent_term:get({?MODULE, key}, none) of
        none -> persistent_term:put({?MODULE, key}, binary:encode_hex(crypto:strong_rand_bytes(16)));
        _ -> ok
    end.

%% @doc The id under which mod_pubsub finds a stored node.
-spec with_key(Stored :: binary()) -> binary().
with_key(Stored) ->
    <<Stored/binary, $/, (persistent_term:get({?MODULE, key}))/binary>>.

%% @doc The stored id, if the key is right.
-spec without_key(Id :: binary()) -> {ok, Stored :: binary()} | none.
without_key(Id) ->
    Suffix = <<$/, (persistent_term:get({?MODULE, key}))/binary>>,
    Length = byte_size(Id) - byte_size(Suffix),
    case Id of
        <<Stored:Length/binary, Suffix/binary>> when Length >= 0 -> {ok, Stored};
        _ -> none
    end.
