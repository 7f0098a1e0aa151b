%%% @doc Node ids: the reader's names for things, and the names of stored nodes. The grammar is in
%%% the core (`native/core/src/path.rs').
-module(twitter_path).

-export([is_reserved/1, parse/1, id/1, stored/1, author/1]).

%% @doc Whether the id is `/twitter' or lies below it. Needs no NIF, so that ordinary pubsub works
%% even where the core could not be loaded.
-spec is_reserved(Id :: binary()) -> boolean().
is_reserved(<<"/twitter">>) -> true;
is_reserved(<<"/twitter/", _/binary>>) -> true;
is_reserved(_) -> false.

%% @doc What a node id from the wire names.
-spec parse(Id :: binary()) -> foreign | unknown | twitter_nif:node_term().
parse(Id) ->
    case is_reserved(Id) of
        true -> twitter_nif:parse_node(Id);
        false -> foreign
    end.

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
