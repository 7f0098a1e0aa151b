%%% @doc Posts in ejabberd's own pubsub storage: one private node for each author, its items the
%%% posts. The tables are the business of {@link twitter_storage}. What writes is to be called in the
%%% author's {@link twitter_writer}.
-module(twitter_store).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([ensure_node/2, delete_node/2, purge/2, authors/1, places/2, versions/2, posts/2, post/4, all/2, sync/1]).
-export([ensure_node/3, owned_node/3, all_authors/1]).
-export([is_whole/2, left_out/2]).
-export([micros/1, timestamp/1]).
-export_type([post/0]).

-type post() :: #{author := twitter_nif:jid(), id := binary(), at := erlang:timestamp(),
                  payload := [xmlel()],
                  %% When it was changed last, in microseconds; not if it comes from memory.
                  changed => non_neg_integer(),
                  %% The service from which it was heard, if the author lives on another server.
                  from => binary()}.

%% @doc Makes the node that will store the posts of `Author', if there is none.
-spec ensure_node(Host :: binary(), Author :: jid:jid()) -> ok.
ensure_node(Host, Author) ->
    ensure_node(Host, Author, Author).

%% @doc The same with another owner.
-spec ensure_node(Host :: binary(), Author :: jid:jid(), Owner :: jid:jid()) -> ok.
ensure_node(Host, Author, Owner) ->
    case twitter_storage:find(Host, jid:encode(Author), Owner) of
        none ->
            create_node(Host, Author, Owner);
        {ok, _Nidx, true} ->
            ok;
        {ok, _Nidx, false} ->
            %% From somebody of that name whose account was deleted without us.
            ok = delete_node(Host, Author),
            create_node(Host, Author, Owner)
    end.

%% @doc The number of the node that stores an author's posts, if it belongs to that owner.
-spec owned_node(Host :: binary(), Author :: twitter_nif:jid(), Owner :: jid:jid()) ->
          mod_pubsub:nodeIdx() | none.
owned_node(Host, Author, Owner) ->
    case twitter_storage:find(Host, Author, Owner) of
        {ok, Nidx, true} -> Nidx;
        _ -> none
    end.

create_node(Host, Author, Owner) ->
    Name = jid:encode(Author),
    case twitter_storage:create(Host, Name, Owner) of
        {ok, Nidx} ->
            ServerHost = mod_pubsub:serverhost(Host),
            ejabberd_hooks:run(pubsub_create_node, ServerHost,
                               [ServerHost, Host, twitter_path:stored(Name), Nidx, node_twitter:options()]);
        {error, Error} ->
            throw({refused, Error})
    end.

%% @doc Deletes an author's node and all that is in it.
-spec delete_node(Host :: binary(), Author :: jid:jid()) -> ok | {error, #stanza_error{}}.
delete_node(Host, Author) ->
    Name = jid:encode(Author),
    case twitter_storage:find(Host, Name, Author) of
        none -> ok;
        {ok, Nidx, _} -> delete_node(Host, Name, Nidx)
    end.

delete_node(Host, Name, Nidx) ->
    case twitter_storage:delete(Host, Name, Nidx) of
        ok ->
            ServerHost = mod_pubsub:serverhost(Host),
            ejabberd_hooks:run(pubsub_delete_node, ServerHost, [ServerHost, Host, twitter_path:stored(Name), Nidx]),
            %% Nobody of that name must find them after a crash.
            sync(Host);
        {error, Error} ->
            {error, Error}
    end.

%% @doc Deletes all posts of an author. Not by mod_pubsub's own purge: that is a transaction which two
%% at once can make fail, or worse: see {@link twitter_writer}.
-spec purge(Host :: binary(), Author :: jid:jid()) -> ok.
purge(Host, Author) ->
    Name = jid:encode(Author),
    case twitter_storage:find(Host, Name, Author) of
        none -> ok;
        {ok, Nidx, true} -> twitter_storage:purge(Host, Nidx);
        %% What is left of an account of that name that is gone.
        {ok, Nidx, false} -> done(delete_node(Host, Name, Nidx))
    end.

done(ok) -> ok;
done({error, Error}) -> throw({refused, Error}).

%% @doc Every local user who has ever posted: what was heard of others is not for readers from elsewhere.
%% Reads the whole table of nodes.
-spec authors(Host :: binary()) -> [twitter_nif:jid()].
authors(Host) ->
    [Author || Author <- all_authors(Host), twitter_roster:is_local(twitter_roster:bare(Author))].

%% @doc Everybody of whom posts are stored.
-spec all_authors(Host :: binary()) -> [twitter_nif:jid()].
all_authors(Host) ->
    twitter_storage:authors(Host).

%% @doc When an author's posts were published, in microseconds, with their ids.
-spec places(Host :: binary(), Author :: twitter_nif:jid()) ->
          [{Micros :: non_neg_integer(), Id :: binary()}].
places(Host, Author) ->
    [{micros(At), Id} || {Id, At, _} <- twitter_storage:places(Host, Author), is_post(Id)].

%% @doc When each of an author's posts was changed last, in microseconds.
-spec versions(Host :: binary(), Author :: twitter_nif:jid()) -> [{Id :: binary(), Micros :: non_neg_integer()}].
versions(Host, Author) ->
    [{Id, micros(Changed)} || {Id, _, Changed} <- twitter_storage:places(Host, Author), is_post(Id)].

%% An id that no XML can carry is that of something else: see twitter_move.
is_post(<<1, _/binary>>) -> false;
is_post(_) -> true.

%% @doc All posts of an author, with the moment of the last change of each, oldest first. Reads all of
%% them at once.
-spec all(Host :: binary(), Author :: twitter_nif:jid()) -> [{post(), Changed :: erlang:timestamp()}].
all(Host, Author) ->
    Posts = [{#{author => Author, id => Id, at => At, payload => Payload}, Changed}
             || #pubsub_item{itemid = {Id, _}, creation = {At, _}, modification = {Changed, _},
                             payload = Payload} = Item <- twitter_storage:items(Host, Author),
                is_whole(Item, Author), is_post(Id)],
    lists:sort(fun({#{at := One}, _}, {#{at := Other}, _}) -> One =< Other end, Posts).

%% @doc Some posts, in one go. Those that are not stored are left out.
-spec posts(Host :: binary(), [{Author :: twitter_nif:jid(), Id :: binary()}]) -> [post()].
posts(Host, Wanted) ->
    [of_item(Author, Item) || {Author, Item} <- twitter_storage:posts(Host, Wanted), is_whole(Item, Author)].

%% @doc One post of the node with this index.
-spec post(Host :: binary(), mod_pubsub:nodeIdx(), Author :: twitter_nif:jid(), Id :: binary()) ->
          {ok, post()} | none.
post(Host, Nidx, Author, Id) ->
    case [Item || Item <- twitter_storage:read(Host, Nidx, [Id]), is_whole(Item, Author)] of
        [Item] -> {ok, of_item(Author, Item)};
        [] -> none
    end.

of_item(Author, #pubsub_item{itemid = {Id, _}, creation = {At, _}, modification = {Changed, _}, payload = Payload}) ->
    #{author => Author, id => Id, at => At, payload => Payload, changed => micros(Changed)}.

%% @doc Whether a record holds what we have once written. One that does not costs only itself, not the stream of
%% its author and of all his friends.
-spec is_whole(#pubsub_item{}, twitter_nif:jid()) -> boolean().
is_whole(#pubsub_item{itemid = {Id, _}, creation = {{Mega, Seconds, Micro}, _}, modification = {{_, _, _}, _},
                      payload = Payload}, Author)
  when is_binary(Id), is_integer(Mega), is_integer(Seconds), is_integer(Micro) ->
    twitter_post:is_payload(Payload) orelse left_out(Id, Author);
is_whole(#pubsub_item{itemid = ItemId}, Author) ->
    left_out(ItemId, Author).

%% @doc Says so in the log of one that does not.
-spec left_out(Id :: term(), twitter_nif:jid()) -> false.
left_out(Id, Author) ->
    ?ERROR_MSG("A post of ~ts is left out, for its record in the table pubsub_item is damaged: ~tp",
               [Author, Id]),
    false.

%% @doc Returns when all that was written is safe from a crash of the virtual machine: a post that was acknowledged
%% must not be lost.
-spec sync(Host :: binary()) -> ok | {error, #stanza_error{}}.
sync(Host) ->
    twitter_storage:sync(Host).

%% @doc A moment in microseconds since 1970.
-spec micros(erlang:timestamp()) -> non_neg_integer().
micros({Mega, Seconds, Micro}) ->
    (Mega * 1_000_000 + Seconds) * 1_000_000 + Micro.

%% @doc The same moment as ejabberd's storage has it.
-spec timestamp(Micros :: non_neg_integer()) -> erlang:timestamp().
timestamp(Micros) ->
    Seconds = Micros div 1_000_000,
    {Seconds div 1_000_000, Seconds rem 1_000_000, Micros rem 1_000_000}.
