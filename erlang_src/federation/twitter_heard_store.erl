%%% @doc The posts of authors on other servers, in ejabberd's own pubsub storage: one private node for each
%%% author, like those of local ones ({@link twitter_store}), but its owner is the pubsub service itself.
%%%
%%% An item is a post, or tells something about the stream: then its id begins with a character that no XML can
%%% carry. Which of its readers may see a post does not stand in it: each recorded version has a number, and the
%%% core says of each reader which numbers he may see. That is kept in buckets, a portion of the readers in each.
%%%
%%% In Mnesia one item is written after the other, and a crash may come between any two. So the next
%%% number is taken before it is used; and while several buckets change, the stream says so: after a crash all
%%% rows are closed before anything else is recorded. Then somebody may see less than he might, and nobody more.
%%%
%%% All of this but {@link readers/3} is to be called in the author's {@link twitter_writer}.
-module(twitter_heard_store).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([open/2, create/1, save/1, rewrite/3, bucket/2, buckets/1, put_bucket/2]).
-export([post/2, posts/1, put_post/2, delete_post/2, gone/2, put_gone/4]).
-export([readers/3, authors/1]).
-export_type([stream/0, post/0, buckets/0]).

-define(NS, <<"urn:ejabberd:twitter:heard:0">>).
-define(STATE, <<1, "stream">>).
-define(GONE, <<1, "gone">>).
-define(BUCKETS, 64).
%% So many retractions are remembered, each by its id.
-define(MAX_GONE, 1000).
%% So often mod_pubsub is asked, with so long a pause between, while it restarts.
-define(TRIES, 200).
-define(PAUSE_MS, 10).

-type moment() :: non_neg_integer().
-type buckets() :: twitter_nif:rows().
-type stream() :: #{host := binary(), author := twitter_nif:jid(), nidx := mod_pubsub:nodeIdx() | none,
                    %% What the core says of the audience.
                    audience := binary(),
                    %% The newest version of anything that was heard of the author.
                    newest := moment() | none,
                    %% Of these versions nothing is taken any more that was sent before that moment.
                    floor := {Version :: moment(), Sent :: moment()},
                    posts := non_neg_integer()}.
-type post() :: #{id := binary(), at := erlang:timestamp(), seq := pos_integer(), version := moment(),
                  %% The service that sent it.
                  from := binary(), payload := [xmlel()]}.

%% @doc The stream of an author, empty if nothing was heard of him. Cost: two reads.
-spec open(Host :: binary(), twitter_nif:jid()) -> stream().
open(Host, Author) ->
    New = #{host => Host, author => Author, nidx => none, audience => <<>>, newest => none, floor => {0, 0},
            posts => 0},
    case twitter_store:owned_node(Host, Author, service(Host)) of
        none ->
            New;
        Nidx ->
            case state(Host, Nidx) of
                {ok, State} ->
                    maps:merge(New#{nidx := Nidx}, State);
                none ->
                    New#{nidx := Nidx};
                damaged ->
                    %% Nobody knows which numbers were used, so who may see what is left is unknown.
                    ?ERROR_MSG("What was heard of ~ts is deleted, for nobody can tell any more who may see it: "
                               "its record in the table pubsub_item is damaged", [Author]),
                    ok = twitter_store:delete_node(Host, twitter_roster:bare(Author)),
                    New
            end
    end.

service(Host) -> mod_pubsub:service_jid(Host).

%% @doc The same stream, for which there is a node.
-spec create(stream()) -> stream().
create(#{nidx := none, host := Host, author := Author} = Stream) ->
    ok = twitter_store:ensure_node(Host, twitter_roster:bare(Author), service(Host)),
    Created = Stream#{nidx := twitter_store:owned_node(Host, Author, service(Host))},
    ok = save(Created),
    Created;
create(Stream) ->
    Stream.

%%% The stream

state(Host, Nidx) ->
    case read(Host, Nidx, ?STATE) of
        [#pubsub_item{payload = [#xmlel{name = <<"stream">>} = El]}] ->
            try
                {ok, #{audience => attr(<<"audience">>, El),
                       newest => newest(attr(<<"newest">>, El)),
                       floor => {number(<<"floor">>, El), number(<<"floor-sent">>, El)},
                       posts => number(<<"posts">>, El)}}
            catch
                error:_ -> damaged
            end;
        [_] ->
            damaged;
        [] ->
            case twitter_storage:items_of(Host, Nidx) of
                [] -> none;
                _ -> damaged
            end
    end.

newest(<<>>) -> none;
newest(Text) -> binary_to_integer(Text).

%% @doc Keeps what is said of the stream, but for the rows of its readers.
-spec save(stream()) -> ok.
save(#{host := Host} = Stream) ->
    twitter_storage:write(Host, [state_item(Stream)]).

state_item(#{audience := Audience, newest := Newest, floor := {Floor, Sent}, posts := Posts} = Stream) ->
    Attrs = [{<<"audience">>, Audience}, {<<"floor">>, integer_to_binary(Floor)},
             {<<"floor-sent">>, integer_to_binary(Sent)}, {<<"posts">>, integer_to_binary(Posts)}]
        ++ [{<<"newest">>, integer_to_binary(Newest)} || is_integer(Newest)],
    item(Stream, ?STATE, erlang:timestamp(), element(<<"stream">>, Attrs, [])).

%% @doc Replaces rows of several buckets, and then what is said of the stream.
-spec rewrite(stream(), buckets(), New :: stream()) -> stream().
rewrite(#{audience := Audience, host := Host} = Stream, Changed, New) ->
    Unsure = state_item(Stream#{audience := twitter_nif:audience_unsure(Audience)}),
    ok = twitter_storage:write(Host, [Unsure | [bucket_item(Stream, Bucket) || Bucket <- Changed]] ++ [state_item(New)]),
    New.

%%% Who may see what

%% @doc All rows. Cost: 64 reads, one query in SQL.
-spec buckets(stream()) -> buckets().
buckets(#{nidx := none}) ->
    [];
buckets(#{nidx := Nidx, author := Author, host := Host}) ->
    all_rows(Host, Nidx, Author).

all_rows(Host, Nidx, Author) ->
    Numbers = maps:from_list([{bucket_id(Number), Number} || Number <- lists:seq(0, ?BUCKETS - 1)]),
    Items = twitter_storage:read(Host, Nidx, maps:keys(Numbers)),
    lists:sort([{Number, Rows} || #pubsub_item{itemid = {Id, _}} = Item <- Items,
                                  Number <- [maps:get(Id, Numbers)],
                                  Rows <- [rows(Item, Author, Number)], Rows =/= <<>>]).

%% @doc The rows of one portion of the readers.
-spec bucket(stream(), 0..63) -> binary().
bucket(#{nidx := none}, _Number) -> <<>>;
bucket(#{nidx := Nidx, author := Author, host := Host}, Number) ->
    case twitter_storage:read(Host, Nidx, [bucket_id(Number)]) of
        [Item] -> rows(Item, Author, Number);
        [] -> <<>>
    end.

rows(#pubsub_item{payload = [#xmlel{name = <<"readers">>, children = [{xmlcdata, Rows}]}]}, _Author, _Number)
  when is_binary(Rows) ->
    Rows;
rows(#pubsub_item{payload = [#xmlel{name = <<"readers">>, children = []}]}, _Author, _Number) ->
    <<>>;
rows(_Item, Author, Number) ->
    ?ERROR_MSG("Some readers of ~ts do not see what he posted, for a record in the table pubsub_item is "
               "damaged: bucket ~b", [Author, Number]),
    <<>>.

-spec put_bucket(stream(), {Number :: 0..63, Rows :: binary()}) -> ok.
put_bucket(#{host := Host} = Stream, Bucket) ->
    twitter_storage:write(Host, [bucket_item(Stream, Bucket)]).

bucket_item(Stream, {Number, Rows}) ->
    item(Stream, bucket_id(Number), erlang:timestamp(), element(<<"readers">>, [], [{xmlcdata, Rows}])).

bucket_id(Number) ->
    <<1, "readers/", (integer_to_binary(Number))/binary>>.

%% @doc Who may see what was recorded under a number, now. Cost: 64 reads, one query in SQL.
-spec readers(Host :: binary(), twitter_nif:jid(), Seq :: pos_integer()) -> [twitter_nif:jid()].
readers(Host, Author, Seq) ->
    readers(Host, Author, Seq, ?TRIES).

readers(Host, Author, Seq, Tries) ->
    try twitter_store:owned_node(Host, Author, service(Host)) of
        none -> [];
        Nidx -> twitter_nif:audience_readers(all_rows(Host, Nidx, Author), Seq)
    catch
        %% mod_pubsub is being restarted.
        error:{unregistered_route, _} when Tries > 1 ->
            timer:sleep(?PAUSE_MS),
            readers(Host, Author, Seq, Tries - 1)
    end.

%% @doc All of whom anything was heard. Reads the whole table of nodes.
-spec authors(Host :: binary()) -> [twitter_nif:jid()].
authors(Host) ->
    [Author || Author <- twitter_store:all_authors(Host), not twitter_roster:is_local(twitter_roster:bare(Author))].

%%% Posts

%% @doc One post.
-spec post(stream(), Id :: binary()) -> {ok, post()} | none.
post(#{nidx := none}, _Id) ->
    none;
post(#{nidx := Nidx, author := Author, host := Host}, Id) ->
    case read(Host, Nidx, Id) of
        [Item] -> whole(Item, Author);
        [] -> none
    end.

%% @doc All posts, in no order. Reads all of them at once.
-spec posts(stream()) -> [post()].
posts(#{nidx := none}) ->
    [];
posts(#{nidx := Nidx, author := Author, host := Host}) ->
    [Post || #pubsub_item{itemid = ItemId} = Item <- twitter_storage:items_of(Host, Nidx),
             not is_ours(ItemId), {ok, Post} <- [whole(Item, Author)]].

is_ours({<<1, _/binary>>, _}) -> true;
is_ours(_) -> false.

%% One that is damaged costs only itself.
whole(#pubsub_item{itemid = {Id, _}, creation = {{Mega, Seconds, Micro} = At, _},
                   payload = [#xmlel{name = <<"heard">>, children = Payload} = El]}, Author)
  when is_binary(Id), is_integer(Mega), is_integer(Seconds), is_integer(Micro) ->
    try
        true = twitter_post:is_payload([El]),
        Seq = number(<<"seq">>, El),
        true = Seq > 0,
        {ok, #{id => Id, at => At, seq => Seq, version => number(<<"version">>, El), from => attr(<<"from">>, El),
               payload => Payload}}
    catch
        error:_ -> left_out(Id, Author)
    end;
whole(#pubsub_item{itemid = ItemId}, Author) ->
    left_out(ItemId, Author).

left_out(Id, Author) ->
    ?ERROR_MSG("A post of ~ts is left out, for its record in the table pubsub_item is damaged: ~tp", [Author, Id]),
    none.

-spec put_post(stream(), post()) -> ok.
put_post(#{host := Host} = Stream, #{id := Id, at := At, seq := Seq, version := Version, from := From, payload := Payload}) ->
    Attrs = [{<<"seq">>, integer_to_binary(Seq)}, {<<"version">>, integer_to_binary(Version)}, {<<"from">>, From}],
    twitter_storage:write(Host, [item(Stream, Id, At, element(<<"heard">>, Attrs, Payload))]).

-spec delete_post(stream(), Id :: binary()) -> ok.
delete_post(#{nidx := Nidx, host := Host}, Id) ->
    twitter_storage:delete_items(Host, Nidx, [Id]).

%%% Retractions

%% @doc The version under which a post was retracted, if that is remembered.
-spec gone(stream(), Id :: binary()) -> moment() | none.
gone(#{nidx := none}, _Id) -> none;
gone(Stream, Id) -> proplists:get_value(Id, all_gone(Stream), none).

%% @doc A post is gone. The oldest of too many retractions raise the floor: see {@link stream()}. Returns the
%% stream, not saved if it has changed.
-spec put_gone(stream(), Id :: binary(), Version :: moment(), Sent :: moment()) -> stream().
put_gone(#{floor := {Floor, FloorSent}, host := Host} = Stream, Id, Version, Sent) ->
    Gone = [{Id, Version} | lists:keydelete(Id, 1, all_gone(Stream))],
    {Kept, Dropped} = lists:split(min(?MAX_GONE, length(Gone)), Gone),
    Els = [#xmlel{name = <<"retract">>, attrs = [{<<"id">>, One}, {<<"version">>, integer_to_binary(At)}]}
           || {One, At} <- Kept],
    ok = twitter_storage:write(Host, [item(Stream, ?GONE, erlang:timestamp(), element(<<"gone">>, [], Els))]),
    case Dropped of
        [] -> Stream;
        _ -> Stream#{floor := {lists:max([Floor | [At || {_, At} <- Dropped]]), max(FloorSent, Sent)}}
    end.

all_gone(#{nidx := Nidx, host := Host}) ->
    case read(Host, Nidx, ?GONE) of
        [#pubsub_item{payload = [#xmlel{name = <<"gone">>, children = Els}]}] ->
            try
                [{attr(<<"id">>, El), number(<<"version">>, El)} || El <- Els]
            catch
                error:_ -> []
            end;
        _ ->
            []
    end.

%%% Records

read(Host, Nidx, Id) ->
    twitter_storage:read(Host, Nidx, [Id]).

item(#{nidx := Nidx, host := Host}, Id, At, El) ->
    Service = jid:tolower(service(Host)),
    #pubsub_item{itemid = {Id, Nidx}, nodeidx = Nidx, creation = {At, Service},
                 modification = {erlang:timestamp(), Service}, payload = [El]}.

element(Name, Attrs, Els) ->
    #xmlel{name = Name, attrs = [{<<"xmlns">>, ?NS} | Attrs], children = Els}.

attr(Name, El) -> fxml:get_tag_attr_s(Name, El).

number(Name, El) -> binary_to_integer(attr(Name, El)).
